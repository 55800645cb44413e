//! Fuzzing of the attribute: [`options`] are given to it as text, and [`templates`] as the content of a string.
//!
//! **What is fuzzed** is the text of `dlock-macros/src`, copied by the build, because nothing can call into a crate of
//! procedural macros. Beside it stand the files of the runtime that fill a template and name a key, so that what the one
//! accepts is held against what the other does.
//!
//! **What must hold** is more than that nothing panics; it stands at the head of the two modules. A check that fails panics.
//!
//! **That the checks catch mistakes** is checked too: [`weakness`] makes some, each in a copy of its own.
//!
//! **What is not seen.** Positions of tokens: outside of a compiler there are none. Whether accepted code passes the type
//! checker: that is for `tests/attribute` and the UI tests.

pub mod corpus;
mod evil;
mod fragments;
mod generate;
pub mod guided;
#[expect(dead_code, unreachable_pub, unused_imports, reason = "they are private here, and not all used")]
#[path = "../../../dlock-runtime/src/key/mod.rs"]
mod key;
#[expect(dead_code, reason = "times are no matter here")]
#[path = "../../../dlock-runtime/src/limits.rs"]
mod limits;
mod mutate;
pub mod options;
mod output;
mod random;
mod reading;
pub mod templates;
pub mod weakness;

#[cfg_attr(
    not(feature = "libfuzzer"),
    expect(clippy::all, unused, reason = "some of what is copied is weakened, so that not all of it is used")
)]
mod copies {
    include!(concat!(env!("OUT_DIR"), "/copies.rs"));
}

use proc_macro2::TokenStream;
use syn::LitStr;

pub use crate::mutate::mutate_text as mutate;
pub use crate::random::Random;

/// The attribute, as it is or weakened.
#[derive(Clone, Copy)]
pub struct Copy {
    /// `as_it_is`, or the name of the weakness.
    pub name: &'static str,
    attribute: fn(TokenStream, TokenStream) -> TokenStream,
    /// What is read of a template, if it can be read.
    template: fn(&LitStr) -> Option<Read>,
}

/// The parts of a template, and whether its rules accept it.
type Read = (Vec<Piece>, bool);

/// A part of a template.
pub(crate) enum Piece {
    Text(String),
    Value,
}

impl Copy {
    /// The attribute as it is.
    pub fn as_it_is() -> Self {
        copies::COPIES[0]
    }

    /// One copy for each weakness.
    pub fn weakened() -> &'static [Self] {
        &copies::COPIES[1..]
    }
}

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The text between the attribute's brackets.
    Options,
    /// The content of the string behind `key =`.
    Templates,
}

/// How far an input came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not to the attribute: the compiler would not have read it.
    Unread,
    /// It was told its mistakes.
    Refused,
    /// It was expanded.
    Accepted,
}

impl Target {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Options, Self::Templates];

    /// The name of its corpus and of its binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::Templates => "templates",
        }
    }

    /// Runs one input through this copy of the attribute.
    ///
    /// # Panics
    /// If something does not hold that must.
    pub fn check(self, copy: Copy, text: &str) -> Verdict {
        match self {
            Self::Options => options::check(copy, text),
            Self::Templates => templates::check(copy, text),
        }
    }
}
