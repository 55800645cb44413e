//! Fuzzing of the attribute: options are given to it as text ([`OPTIONS`]), and templates as the content of a string
//! ([`TEMPLATES`]).
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
#[path = "../../support/src/dice.rs"]
mod dice;
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

use proc_macro2::TokenStream;

pub use crate::dice::Dice;

/// What is fuzzed.
pub struct Target {
    /// The name of its files in `corpus`.
    pub name: &'static str,
    /// Runs one input through the attribute. It panics if something does not hold that must.
    pub check: fn(&Attribute, &str) -> Verdict,
    /// What stands between the items of most inputs.
    comma: &'static str,
}

/// The text between the attribute's brackets.
pub const OPTIONS: Target = Target { name: "options", check: checks::options::check, comma: ", " };

/// The content of the string behind `key =`.
pub const TEMPLATES: Target = Target { name: "templates", check: checks::templates::check, comma: ":" };

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
    read_text: fn(&str) -> String,
}

/// The attribute as it is.
pub const AS_IT_IS: Attribute =
    Attribute { expand: attribute::attribute, look_at: str::to_owned, read_text: str::to_owned };

impl Target {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [OPTIONS, TEMPLATES].into_iter().find(|target| target.name == name)
    }
}
