//! What the attribute hands back: its errors, the item, an expansion.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The messages of every `compile_error!` in the tokens. `None` if one of them is not a single string.
pub(crate) fn errors(tokens: &TokenStream) -> Option<Vec<String>> {
    let mut found = Vec::new();
    collect(tokens, &mut found).then_some(found)
}

fn collect(tokens: &TokenStream, found: &mut Vec<String>) -> bool {
    let mut after_name = false;
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) if after_name => {
                let Ok(text) = syn::parse2::<syn::LitStr>(group.stream()) else { return false };
                found.push(text.value());
                after_name = false;
            }
            TokenTree::Group(group) => {
                if !collect(&group.stream(), found) {
                    return false;
                }
            }
            TokenTree::Ident(ident) => after_name = ident == "compile_error",
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    true
}

/// What must hold of a refusal: one message or more, each a rule and its cure, and the item as it was written.
pub(crate) fn must_refuse_well(output: &TokenStream, messages: &[String], item: &TokenStream) {
    for message in messages {
        let (rule, help) = message.split_once("\nhelp: ").unwrap_or_else(|| panic!("no help: {message}"));
        assert!(!rule.trim().is_empty() && !help.trim().is_empty(), "half a message: {message}");
    }
    assert!(ends_with(output, item), "the item is not handed back: {output}");
}

/// What must hold of an expansion: it is a function in Rust, and has the three verbs.
pub(crate) fn must_be_a_locked_function(output: &TokenStream) {
    if let Err(error) = syn::parse2::<syn::ItemFn>(output.clone()) {
        panic!("the expansion is not Rust: {error}: {output}");
    }
    for verb in ["acquire", "renew_while"] {
        assert!(calls(output, verb), "no `{verb}`: {output}");
    }
    let released = ["release", "release_or", "release_result_or"].into_iter().any(|verb| calls(output, verb));
    assert!(released, "no release: {output}");
}

/// Whether `name ( .. )` stands somewhere in the tokens.
pub(crate) fn calls(tokens: &TokenStream, name: &str) -> bool {
    let mut after_name = false;
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) if after_name && group.delimiter() == Delimiter::Parenthesis => true,
        TokenTree::Group(group) => {
            after_name = false;
            calls(&group.stream(), name)
        }
        TokenTree::Ident(ident) => {
            after_name = ident == name;
            false
        }
        TokenTree::Punct(_) | TokenTree::Literal(_) => {
            after_name = false;
            false
        }
    })
}

/// What stands in the parentheses of every `:: __rt :: name ( .. )`.
pub(crate) fn arguments_of(tokens: &TokenStream, name: &str) -> Vec<TokenStream> {
    let mut found = Vec::new();
    find(tokens, name, &mut found);
    found
}

fn find(tokens: &TokenStream, name: &str, found: &mut Vec<TokenStream>) {
    // `__rt`, `:`, `:`, the name.
    let mut seen = 0;
    for token in tokens.clone() {
        seen = match token {
            TokenTree::Ident(ident) if ident == "__rt" => 1,
            TokenTree::Punct(punct) if punct.as_char() == ':' && (1..=2).contains(&seen) => seen + 1,
            TokenTree::Ident(ident) if seen == 3 && ident == name => 4,
            TokenTree::Group(group) if seen == 4 => {
                found.push(group.stream());
                0
            }
            TokenTree::Group(group) => {
                find(&group.stream(), name, found);
                0
            }
            _ => 0,
        }
    }
}

fn ends_with(tokens: &TokenStream, end: &TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let end: Vec<TokenTree> = end.clone().into_iter().collect();
    let skipped = tokens.len().checked_sub(end.len());
    skipped.is_some_and(|skipped| tokens[skipped..].iter().zip(&end).all(|(one, other)| same(one, other)))
}

fn same(one: &TokenTree, other: &TokenTree) -> bool {
    match (one, other) {
        (TokenTree::Ident(one), TokenTree::Ident(other)) => one == other,
        (TokenTree::Punct(one), TokenTree::Punct(other)) => one.as_char() == other.as_char(),
        (TokenTree::Literal(one), TokenTree::Literal(other)) => one.to_string() == other.to_string(),
        (TokenTree::Group(one), TokenTree::Group(other)) => {
            let (inside, other_inside) = (one.stream().into_iter(), other.stream().into_iter());
            one.delimiter() == other.delimiter() && inside.count() == other_inside.count() && {
                one.stream().into_iter().zip(other.stream()).all(|(one, other)| same(&one, &other))
            }
        }
        _ => false,
    }
}
