//! Templates and the values that fill them.
//!
//! Values come from requests, so they are percent-encoded: no value can smuggle in a separator, a hash tag or a
//! line break, and two different lists of values never give the same key.

use std::fmt::{self, Display, Write};

use crate::key::grammar::{self, Flaw, Part, is_kept};

/// What an empty value looks like. It cannot come from encoding, which puts two hex digits behind every `%`.
const EMPTY: &str = "%empty";

/// Why a key is not fit for use, before anybody looks at its text. In one byte, as keys are kept by the hundred thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Unopened,
    Unclosed,
    TooFewValues,
    TooManyValues,
    ValueFailed,
    /// One lock for every call, which nobody means.
    NoTemplate,
}

impl Problem {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unopened => "its template has a `>` that closes nothing; write `>>` for a literal one",
            Self::Unclosed => "its template has a `<` without a `>`; write `<<` for a literal one",
            Self::TooFewValues => "its template has more placeholders than there are values",
            Self::TooManyValues => "its template has fewer placeholders than there are values",
            Self::ValueFailed => "one of its values failed to format itself",
            Self::NoTemplate => {
                "it holds a placeholder, and only a string literal is a template: write the literal itself after `key =`, \
                 or fill it by `LockKey::from_template`; if its brackets are meant, make the key by `LockKey::from`"
            }
        }
    }
}

/// Appends `template` with its placeholders filled.
///
/// # Errors
/// What is wrong with the template, or with a value.
pub(crate) fn fill<V: Display + ?Sized>(text: &mut String, template: &str, values: &[&V]) -> Result<(), Problem> {
    let mut values = values.iter();
    for part in grammar::parts(template) {
        match part {
            Ok(Part::Text(literal)) => text.push_str(literal),
            Ok(Part::Placeholder(_)) => {
                encode(text, *values.next().ok_or(Problem::TooFewValues)?)?;
            }
            Err(Flaw::Unopened) => return Err(Problem::Unopened),
            Err(Flaw::Unclosed(_)) => return Err(Problem::Unclosed),
        }
    }
    match values.next() {
        None => Ok(()),
        Some(_) => Err(Problem::TooManyValues),
    }
}

/// Whether a part of the text has the form of a placeholder, as in `stock:<order.id>`.
pub(crate) fn has_placeholder(text: &str) -> bool {
    let is_path = |inside: &str| {
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        !inside.starts_with(|first: char| first.is_numeric()) && inside.split('.').all(is_name)
    };
    text.split('<').skip(1).any(|rest| rest.split_once('>').is_some_and(|(inside, _)| is_path(inside)))
}

fn encode<V: Display + ?Sized>(text: &mut String, value: &V) -> Result<(), Problem> {
    let before = text.len();
    write!(Encoder(text), "{value}").map_err(|_| Problem::ValueFailed)?;
    if text.len() == before {
        text.push_str(EMPTY);
    }
    Ok(())
}

/// Percent-encodes what is written through it.
struct Encoder<'a>(&'a mut String);

impl fmt::Write for Encoder<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            if is_kept(character) {
                self.0.push(character);
            } else {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    write!(self.0, "%{byte:02X}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn key(template: &'static str, values: &[&dyn Display]) -> String {
        let mut text = String::new();
        fill(&mut text, template, values).expect("well-formed");
        text
    }

    #[test]
    fn values_cannot_smuggle_in_separators_braces_or_line_breaks() {
        assert_ne!(key("<a>:<b>", &[&"a:b", &"c"]), key("<a>:<b>", &[&"a", &"b:c"]));
        assert_eq!(key("stock:<id>", &[&"{x}\n\0"]), "stock:%7Bx%7D%0A%00");
        assert_eq!(key("stock:<id>", &[&"whole milk"]), "stock:whole%20milk");
        assert_eq!(key("stock:<id>", &[&"Käse-1.5_~@+"]), "stock:Käse-1.5_~@+");
    }

    #[test]
    fn an_empty_value_is_visible_and_like_no_other() {
        assert_eq!(key("{<a>}:x", &[&""]), "{%empty}:x");
        assert_ne!(key("<a>", &[&""]), key("<a>", &[&"%empty"]));
    }

    #[test]
    fn different_values_never_give_one_key() {
        let alphabet = ["", "a", ":", "%", "{", "}", "/", "\0", "%empty", "a:", ":a", "é", "\u{1F600}", "%3A"];
        let mut seen = HashMap::new();
        for one in alphabet {
            for other in alphabet {
                let text = key("k:<one>:<other>", &[&one, &other]);
                assert_eq!(seen.insert(text.clone(), (one, other)), None, "{text}");
            }
        }
        // The negative control: without encoding, two of these collide.
        assert_eq!(format!("{}:{}", "a:", "a"), format!("{}:{}", "a", ":a"));
    }

    #[test]
    fn what_has_the_form_of_a_placeholder_is_found() {
        for text in ["<id>", "stock:<order.id>:x", "a<b<_self.pair.1>", "<größe>"] {
            assert!(has_placeholder(text), "{text}");
        }
        for text in ["", "stock:7", "a<b", "a>b<c", "<>", "< id >", "<1>", "<a-b>", "<a.>", "a->b", "%3Cid%3E"] {
            assert!(!has_placeholder(text), "{text}");
        }
    }

    #[test]
    fn doubled_brackets_are_literal() {
        assert_eq!(key("a<<b>>c<x>", &[&1]), "a<b>c1");
    }
}
