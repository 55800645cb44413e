//! The one line that the attribute adds to a function's documentation: which lock it holds, and for how long.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, Lit, Meta, Visibility};

use super::expansion::Expansion;
use crate::options::Key;
use crate::values::{Given, Setting, bare};

/// Where the line goes, and what goes there.
pub(super) struct Line {
    /// How many of the function's attributes stand before it.
    pub(super) after: usize,
    pub(super) attributes: TokenStream,
}

impl Expansion<'_> {
    /// The line stands after what the author wrote, as a paragraph of its own.
    ///
    /// A function without documentation stays undocumented in the eyes of the lint `missing_docs`: only rustdoc, which
    /// sets `cfg(doc)`, is given the line. There it is left out where nobody would read it, or where it would hide
    /// better: a method of a trait's implementation, which like all that is private has no `pub`, shows the text of the
    /// trait.
    pub(super) fn doc(&self) -> Option<Line> {
        let attributes = &self.function.attributes;
        if self.args.doc == Some(false) || attributes.iter().any(hides) {
            return None;
        }
        let line = self.line();
        match attributes.iter().rposition(documents) {
            Some(last) => Some(Line { after: last + 1, attributes: quote!(#[doc = ""] #[doc = #line]) }),
            None if self.args.doc == Some(true) => Some(Line { after: 0, attributes: quote!(#[doc = #line]) }),
            None if matches!(self.function.visibility, Visibility::Inherited) => None,
            None => Some(Line { after: 0, attributes: quote!(#[cfg_attr(doc, doc = #line)]) }),
        }
    }

    /// With the space in front that `///` leaves.
    fn line(&self) -> String {
        let args = self.args;
        let lock = match &args.key {
            Some(Key::Template(template)) => format!("the distributed lock {}", code(&template.literal.value())),
            Some(Key::Expr(key)) => format!("the distributed lock that {} names", code(&key.text)),
            None => String::new(),
        };
        let when = args.when.as_ref().map(|when| format!(", if {}", code(&when.text))).unwrap_or_default();
        let said = |given: &Option<Given>, say: fn(&Given) -> String| given.as_ref().map(say);
        let times: Vec<String> = [
            said(&args.ttl, |ttl| format!("ttl {}", time(ttl))),
            said(&args.wait, |wait| match wait.setting {
                Setting::Forever => "waits forever".to_owned(),
                Setting::Time(std::time::Duration::ZERO) => "does not wait".to_owned(),
                _ => format!("waits {}", time(wait)),
            }),
            said(&args.renew, |renew| match renew.setting {
                Setting::Switch(true) => "renewed".to_owned(),
                Setting::Switch(false) => "not renewed".to_owned(),
                _ => format!("renewed every {}", time(renew)),
            }),
            said(&args.max_hold, |held| match held.setting {
                Setting::Unbounded => "held without bound".to_owned(),
                _ => format!("held at most {}", time(held)),
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let times = if times.is_empty() { String::new() } else { format!(" ({})", times.join(", ")) };
        format!(" Holds {lock} while it runs{when}{times}.")
    }
}

/// Any text that the author wrote.
fn documents(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc") && matches!(attribute.meta, Meta::NameValue(_))
}

/// `#[doc(hidden)]`
fn hides(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) => list.path.is_ident("doc") && list.tokens.to_string() == "hidden",
        _ => false,
    }
}

/// As written: `10 s`, `1500ms`, or the expression.
fn time(given: &Given) -> String {
    match bare(&given.written.expr) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.value().trim().to_owned(),
            seconds => format!("{} s", seconds.to_token_stream()),
        },
        _ => code(&given.written.text),
    }
}

/// As Markdown's code: between more backticks than stand next to each other inside.
fn code(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 {
        return format!("`{text}`");
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_stay_inside_of_the_code() {
        assert_eq!(code("stock:<id>"), "`stock:<id>`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("```"), "```` ``` ````");
    }
}
