//! How a mistake is told: first the rule, then the cure on a `help:` line, at the token that the user wrote.
//!
//! Every independent mistake is reported in one go, so nothing here stops at the first.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// One mistake, pointing at the whole of `at`.
pub(crate) fn mistake(at: impl ToTokens, rule: impl Display, help: impl Display) -> Error {
    Error::new_spanned(at, format!("{rule}\nhelp: {help}"))
}

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

impl Mistakes {
    /// Adds one mistake (or several that were combined).
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Keeps the value, or adds the mistake that stands in its place.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// One `compile_error!` for each, or `None` when there was none.
    pub(crate) fn into_compile_errors(self) -> Option<TokenStream> {
        self.0.map(Error::into_compile_error)
    }
}
