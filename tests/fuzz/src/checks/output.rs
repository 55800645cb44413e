//! What the attribute hands back: its errors, the item, an expansion.

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;

/// A pair of brackets: the text from the one before it on, and what is in it.
pub(crate) struct Group {
    pub(crate) before: String,
    pub(crate) inside: TokenStream,
}

/// The brackets in the tokens, those side by side in one list.
pub(crate) fn lists(tokens: &TokenStream) -> Vec<Vec<Group>> {
    let (mut here, mut inside, mut before) = (Vec::new(), Vec::new(), String::new());
    for token in tokens.clone() {
        if let TokenTree::Group(group) = token {
            inside.extend(lists(&group.stream()));
            here.push(Group { before: std::mem::take(&mut before), inside: group.stream() });
        } else {
            before += &token.to_string();
        }
    }
    inside.push(here);
    inside
}

/// What stands in the brackets of every `name(..)`, in no order.
pub(crate) fn arguments_of(lists: &[Vec<Group>], name: &str) -> Vec<TokenStream> {
    let groups = lists.iter().flatten().filter(|group| group.before.ends_with(name));
    groups.map(|group| group.inside.clone()).collect()
}

/// What must hold of a refusal: one message or more, each a rule and its cure, and the item as it was written.
pub(crate) fn must_refuse_well(output: &TokenStream, item: &TokenStream) {
    let errors = arguments_of(&lists(output), "compile_error!");
    assert!(!errors.is_empty(), "neither errors nor a lock: {output}");
    for error in errors {
        let message = syn::parse2::<LitStr>(error).unwrap_or_else(|_| panic!("an error without a message: {output}"));
        let message = message.value();
        let (rule, help) = message.split_once("\nhelp: ").unwrap_or_else(|| panic!("no help: {message}"));
        assert!(!rule.trim().is_empty() && !help.trim().is_empty(), "half a message: {message}");
    }
    assert!(output.to_string().ends_with(&item.to_string()), "the item is not handed back: {output}");
}

/// What must hold of an expansion: it is a function in Rust, and has the three verbs.
pub(crate) fn must_be_a_locked_function(output: &TokenStream, lists: &[Vec<Group>]) {
    if let Err(error) = syn::parse2::<syn::ItemFn>(output.clone()) {
        panic!("the expansion is not Rust: {error}: {output}");
    }
    for verbs in [&["::acquire"][..], &[".renew_while"], &[".release", ".release_or", ".release_result_or"]] {
        assert!(verbs.iter().any(|verb| !arguments_of(lists, verb).is_empty()), "no `{}`: {output}", verbs[0]);
    }
}
