//! The content of the string behind `key =`.
//!
//! A template that the attribute accepts is filled by the runtime with as many values as the expansion gives it, into the
//! parts that the attribute saw; with a plain value it is a key that the runtime takes; and whatever the values are, the
//! key has the braces of the template alone and can be read in one way only, so that no two lists of values share it.

use std::fmt::Display;

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;

use crate::key::LockKey;
use crate::key::Namespace;
use crate::key::template::fill;
use crate::subject::Piece;
use crate::{Attribute, Verdict};

use super::evil::lists;
use super::output::{arguments_of, errors, must_refuse_well};
use super::reading::readings;

/// Short, because it is read anew for each input.
const ITEM: &str = "async fn f(&self, id: u8, qty: u8, order: Order, pair: P, r#type: T) -> R { id }";

/// The runtime takes no longer key.
const LONGEST: usize = 512;

thread_local! {
    static PARSED: TokenStream = ITEM.parse().expect("tokens");
}

/// Runs one input.
///
/// # Panics
/// If something does not hold that must.
pub(crate) fn check(attribute: &Attribute, text: &str) -> Verdict {
    let read = attribute.read(text);
    if let Some((pieces, true)) = &read {
        must_be_safe(text, pieces);
    }
    let item = PARSED.with(Clone::clone);
    let output = attribute.expand_key(text, item.clone());
    let filled = arguments_of(&output, "key");
    let [filled] = filled.as_slice() else {
        let messages = errors(&output).unwrap_or_else(|| panic!("an error without a message: {output}"));
        assert!(!messages.is_empty(), "neither errors nor a key: {output}");
        must_refuse_well(&output, &messages, &item);
        return Verdict::Refused;
    };
    let Some((pieces, true)) = read else { panic!("expanded although its rules refuse it: {output}") };
    let (template, values) = template_and_values(filled);
    assert_eq!(template, text, "the template is not verbatim");
    assert_eq!(values, count(&pieces), "values and placeholders differ: {output}");
    Verdict::Accepted
}

/// The arguments of `__rt::key("..", &[..])`.
fn template_and_values(filled: &TokenStream) -> (String, usize) {
    let tokens: Vec<TokenTree> = filled.clone().into_iter().collect();
    let [TokenTree::Literal(template), _, _, TokenTree::Group(values)] = tokens.as_slice() else {
        panic!("not a template and its values: {filled}")
    };
    let template: LitStr = syn::parse_str(&template.to_string()).expect("a string");
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let values: Vec<TokenTree> = values.stream().into_iter().collect();
    let values = values.split(is_comma).filter(|value| !value.is_empty());
    for value in values.clone() {
        // The rest of the expansion is as it is for all options.
        let tokens: TokenStream = value.iter().cloned().collect();
        let field = syn::parse2::<syn::ExprReference>(tokens);
        assert!(field.is_ok(), "a value that is not Rust: {filled}");
    }
    (template.value(), values.count())
}

fn count(pieces: &[Piece]) -> usize {
    pieces.iter().filter(|piece| matches!(piece, Piece::Value)).count()
}

fn must_be_safe(text: &str, pieces: &[Piece]) {
    let plain = key(text, &vec!["7".to_owned(); count(pieces)]);
    let expected: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Value => "7",
        })
        .collect();
    assert_eq!(plain, expected, "the runtime reads {text:?} otherwise");
    if let Err(reason) = Namespace::default().name(&LockKey::from(plain.as_str())) {
        panic!("the runtime refuses {plain:?}: {reason}");
    }
    let braces = |key: &str| key.matches(['{', '}']).count();
    for values in lists(pieces) {
        let key = key(text, &values);
        assert_eq!(braces(&key), braces(&plain), "{values:?} brought braces into {key:?}");
        assert!(!key.chars().any(char::is_control), "{values:?} brought a control character into {key:?}");
        if key.len() <= LONGEST {
            assert_eq!(readings(pieces, &key), 1, "{text:?}: readings of {key:?}, made of {values:?}");
        }
    }
}

/// The key that the runtime makes.
fn key(template: &str, values: &[String]) -> String {
    let values: Vec<&dyn Display> = values.iter().map(|value| value as &dyn Display).collect();
    let mut text = String::new();
    if let Err(problem) = fill(&mut text, template, &values) {
        panic!("the runtime cannot fill {template:?}: {}", problem.text());
    }
    text
}
