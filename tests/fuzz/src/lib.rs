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

mod checks;
pub mod corpus;
mod fragments;
mod generate;
pub mod guided;
#[expect(dead_code, unreachable_pub, reason = "they are private here, and not all used")]
#[path = "../../../dlock-runtime/src/key/mod.rs"]
mod key;
mod mutate;
mod random;
mod subject;
pub mod weakness;

// The attribute. Its files name each other from the root of their crate, so they stand at the root of this one.
#[path = "../../../dlock-macros/src/attribute.rs"]
mod attribute;
#[path = "../../../dlock-macros/src/block.rs"]
mod block;
#[path = "../../../dlock-macros/src/check.rs"]
mod check;
#[path = "../../../dlock-macros/src/duration.rs"]
mod duration;
#[path = "../../../dlock-macros/src/expand/mod.rs"]
mod expand;
#[path = "../../../dlock-macros/src/function.rs"]
mod function;
#[expect(clippy::duplicate_mod, reason = "the runtime has the same file")]
#[path = "../../../dlock-macros/src/grammar.rs"]
mod grammar;
#[path = "../../../dlock-macros/src/hazards.rs"]
mod hazards;
#[path = "../../../dlock-macros/src/limits.rs"]
mod limits;
#[path = "../../../dlock-macros/src/look_alike.rs"]
mod look_alike;
#[path = "../../../dlock-macros/src/mistake.rs"]
mod mistake;
#[cfg_attr(test, expect(dead_code, reason = "read by tests of the attribute alone"))]
#[path = "../../../dlock-macros/src/options.rs"]
mod options;
#[path = "../../../dlock-macros/src/output.rs"]
mod output;
#[path = "../../../dlock-macros/src/pairs.rs"]
mod pairs;
#[path = "../../../dlock-macros/src/parameters.rs"]
mod parameters;
#[path = "../../../dlock-macros/src/rules.rs"]
mod rules;
#[path = "../../../dlock-macros/src/suggest.rs"]
mod suggest;
#[path = "../../../dlock-macros/src/template.rs"]
mod template;
#[path = "../../../dlock-macros/src/tokens.rs"]
mod tokens;
#[path = "../../../dlock-macros/src/transaction.rs"]
mod transaction;
#[path = "../../../dlock-macros/src/values.rs"]
mod values;

pub use crate::mutate::mutate_text as mutate;
pub use crate::random::Random;
pub use crate::subject::Attribute;

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
