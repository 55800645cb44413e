//! What an expansion is made of.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::quote_spanned;

use crate::function::Function;
use crate::options::Options;
use crate::output::Output;

/// The options, the function, and what every part of the code is written with.
pub(super) struct Expansion<'a> {
    pub(super) args: &'a Options,
    pub(super) function: &'a Function,
    pub(super) output: Output,
    /// `::dlock_runtime::__rt`
    pub(super) rt: TokenStream,
    /// Of every token that no user wrote.
    pub(super) site: Span,
}

impl<'a> Expansion<'a> {
    pub(super) fn new(args: &'a Options, function: &'a Function) -> Self {
        let site = Span::mixed_site();
        let rt = match &args.krate {
            Some(path) => quote_spanned!(site=> #path::__rt),
            None => quote_spanned!(site=> ::dlock_runtime::__rt),
        };
        Self { args, function, output: Output::of(function), rt, site }
    }
}

/// The path with its names as they are, as if it stood there.
pub(super) fn placed(path: &TokenStream, place: Span) -> TokenStream {
    let token = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    path.clone().into_iter().map(token).collect()
}

/// Braces that the compiler takes for the user's own, as when it says that the last expression is missing.
pub(super) fn braces_like(body: &Group, inner: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, inner);
    group.set_span(body.span());
    group
}
