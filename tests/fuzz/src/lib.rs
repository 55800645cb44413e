//! Fuzzing of the attribute: options are given to it as text ([`Target::Options`]), and templates as the content of a string
//! ([`Target::Templates`]).
//!
//! **What is fuzzed** is the attribute itself: its files are compiled here as they are, because nothing can call into a crate of
//! procedural macros. Beside it stand the files of the runtime that fill a template and name a key, so that what the one
//! accepts is held against what the other does.
//!
//! **What must hold** is more than that nothing panics; it stands at the head of the two modules in `checks`. A check that
//! fails panics. **That the checks catch mistakes** is checked too: [`weakness`] makes some, from outside.
//!
//! **What is not seen.** Positions of tokens: outside of a compiler there are none. Whether accepted code passes the type
//! checker: that is for `tests/attribute` and the UI tests.

#![cfg_attr(test, allow(dead_code, reason = "what the attribute's own unit tests read"))]

mod checks;
pub mod inputs;
#[expect(
    dead_code,
    unreachable_pub,
    clippy::duplicate_mod,
    reason = "private here, not all used, and one file is in both"
)]
#[path = "../../../dlock-runtime/src/key/mod.rs"]
mod key;
pub mod weakness;

include!(concat!(env!("OUT_DIR"), "/attribute.rs"));

use proc_macro2::{Span, TokenStream};
use syn::LitStr;

use crate::template::{Part, Template};

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The text between the attribute's brackets.
    Options,
    /// The content of the string behind `key =`.
    Templates,
}

/// How far an input came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Not to the attribute: the compiler would not have read it.
    Unread,
    /// It was told its mistakes.
    Refused,
    /// It was expanded.
    Accepted,
}

/// The attribute as the checks see it: as it is, or weakened from outside.
pub struct Attribute {
    expand: fn(TokenStream, TokenStream) -> TokenStream,
    /// The template that it gets in the place of the one that is written.
    look_at: fn(&str) -> String,
    read_text: fn(String) -> String,
}

/// A part of a template.
enum Piece {
    Text(String),
    Value,
}

impl Target {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Options, Self::Templates];

    /// The name of its files in `corpus`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::Templates => "templates",
        }
    }

    /// Runs one input through the attribute.
    ///
    /// # Panics
    /// If something does not hold that must.
    pub fn check(self, attribute: &Attribute, text: &str) -> Verdict {
        match self {
            Self::Options => checks::options::check(attribute, text),
            Self::Templates => checks::templates::check(attribute, text),
        }
    }
}

impl Attribute {
    /// As it is.
    pub const AS_IT_IS: Self = Self { expand: attribute::attribute, look_at: str::to_owned, read_text: |text| text };

    /// The parts of a template, if it can be read.
    fn read(&self, text: &str) -> Option<Vec<Piece>> {
        let template = Template::read(&LitStr::new(text, Span::call_site()), &mut mistake::Mistakes::default())?;
        let piece = |part| match part {
            Part::Text(text) => Piece::Text((self.read_text)(text)),
            Part::Value(_) => Piece::Value,
        };
        Some(template.parts.into_iter().map(piece).collect())
    }
}
