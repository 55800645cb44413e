//! Warnings, which a macro cannot give on stable: the expansion names a deprecated constant at the user's own token, and
//! the compiler tells its note there. A `const _` is gone before the program runs.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;

use super::expansion::Expansion;
use crate::hazards::{self, Hazard};

impl Expansion<'_> {
    /// Nothing where there is nothing to warn of.
    pub(super) fn warnings(&self) -> TokenStream {
        let Self { args, function, rt, site, .. } = self;
        if args.warn == Some(false) {
            return TokenStream::new();
        }
        let warning = |Hazard { kind, place, cfg }: &Hazard| {
            let constant = Ident::new(kind.constant(), *place);
            quote_spanned!(*site=> #(#cfg)* const _: () = #rt::warn::#constant;)
        };
        hazards::find(&function.signature, function.body.stream()).iter().map(warning).collect()
    }
}
