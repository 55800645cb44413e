//! The content of the string behind `key =`.
//!
//! A template that the attribute accepts is filled by the runtime with as many values as the expansion gives it, into the
//! parts that the attribute saw; with a plain value it is a key that the runtime takes; and whatever the values are, the
//! key has the braces of the template alone and can be read in one way only, so that no two lists of values share it.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, ExprCall, ExprLit, Lit, LitStr, parse_quote};

use super::{
    output::{arguments_of, lists, must_refuse_well},
    values::{is_value, misleading, readings},
};
use crate::{
    Attribute, Verdict,
    key::{LockKey, Namespace, template::fill},
    mistake::Mistakes,
    template::{Part, Template},
};

/// Short, because it is read anew for each input.
const ITEM: &str = "async fn f(&self, id: u8, qty: u8, order: Order, pair: P, r#type: T) -> R { id }";

/// The runtime takes no longer key.
const LONGEST: usize = 512;

thread_local! {
    static PARSED: TokenStream = ITEM.parse().expect("tokens");
}

pub(crate) fn check(attribute: &Attribute, text: &str) -> Verdict {
    let (item, seen) = (PARSED.with(Clone::clone), (attribute.look_at)(text));
    let output = (attribute.expand)(quote!(key = #seen), item.clone());
    let filled = arguments_of(&lists(&output), "__rt::key");
    let [filled] = filled.as_slice() else {
        must_refuse_well(&output, &item);
        return Verdict::Refused;
    };
    let template = Template::read(&LitStr::new(text, Span::call_site()), &mut Mistakes::default());
    let mut parts = template.unwrap_or_else(|| panic!("expanded though it cannot be read: {output}")).parts;
    for part in &mut parts {
        if let Part::Text(text) = part {
            *text = (attribute.read_text)(text);
        }
    }
    let (template, values) = template_and_values(filled);
    assert_eq!(template, seen, "the template is not verbatim");
    assert_eq!(values, count(&parts), "values and placeholders differ: {output}");
    must_be_safe(text, &parts);
    Verdict::Accepted
}

/// The template and the number of values in the arguments of `__rt::key("..", &[&..])`.
fn template_and_values(filled: &TokenStream) -> (String, usize) {
    let call: ExprCall = parse_quote!(key(#filled));
    if let [Expr::Lit(ExprLit { lit: Lit::Str(template), .. }), Expr::Reference(values)] = &*Vec::from_iter(call.args)
        && let Expr::Array(values) = &*values.expr
        && values.elems.iter().all(|value| matches!(value, Expr::Reference(_)))
    {
        return (template.value(), values.elems.len());
    }
    panic!("not a template and its values: {filled}")
}

fn count(parts: &[Part]) -> usize {
    parts.iter().filter(|part| is_value(part)).count()
}

fn must_be_safe(text: &str, parts: &[Part]) {
    let plain = key(text, &vec!["7".to_owned(); count(parts)]);
    let expected = parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "7" });
    assert_eq!(plain, expected.collect::<String>(), "the runtime reads {text:?} otherwise");
    if let Err(reason) = Namespace::default().name(&LockKey::from(plain.as_str())) {
        panic!("the runtime refuses {plain:?}: {reason}");
    }
    let braces = |key: &str| key.matches(['{', '}']).count();
    for values in misleading(parts) {
        let key = key(text, &values);
        assert_eq!(braces(&key), braces(&plain), "{values:?} brought braces into {key:?}");
        assert!(!key.contains(char::is_control), "{values:?} brought a control character into {key:?}");
        if key.len() <= LONGEST {
            assert_eq!(readings(parts, &key), 1, "{text:?}: readings of {key:?}, made of {values:?}");
        }
    }
}

/// The key that the runtime makes.
fn key(template: &str, values: &[String]) -> String {
    let (mut text, values) = (String::new(), values.iter().collect::<Vec<_>>());
    if let Err(problem) = fill(&mut text, template, &values) {
        panic!("the runtime cannot fill {template:?}: {}", problem.text());
    }
    text
}
