//! The options of a call, as far as they are for the runtime.

use std::time::Duration;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;

use super::Expansion;
use crate::values::{Given, OnLost, Setting};

impl Expansion<'_> {
    /// Only what the user said: the runtime knows the rest.
    pub(super) fn options(&self) -> TokenStream {
        let Self { args, rt, site, .. } = self;
        let site = *site;
        let name = self.function.signature.ident.unraw().to_string();
        let mut options = quote_spanned!(site=> #rt::options(#name));
        let mut add = |name: &str, value: Option<TokenStream>| {
            if let Some(value) = value {
                let name = Ident::new(name, site);
                options.extend(quote_spanned!(site=> .#name(#value)));
            }
        };
        add("ttl", args.ttl.as_ref().map(|ttl| self.time(ttl)));
        add("wait", args.wait.as_ref().map(|wait| self.time(wait)));
        add("renew", args.renew.as_ref().map(|renew| self.time(renew)));
        add("max_hold", args.max_hold.as_ref().map(|max_hold| self.time(max_hold)));
        add(
            "on_lost",
            args.on_lost.map(|on_lost| match on_lost {
                OnLost::Cancel => quote_spanned!(site=> #rt::OnLost::Cancel),
                OnLost::Finish => quote_spanned!(site=> #rt::OnLost::Finish),
            }),
        );
        add("reentrant", args.reentrant.map(|reentrant| quote_spanned!(site=> #reentrant)));
        add("runtime", args.runtime.as_ref().map(ToTokens::to_token_stream));
        options
    }

    fn time(&self, given: &Given) -> TokenStream {
        let Self { rt, site, .. } = self;
        match given.setting {
            Setting::Time(time) => duration(rt, time, *site),
            Setting::Forever => quote_spanned!(*site=> #rt::Wait::Forever),
            Setting::Unbounded => quote_spanned!(*site=> #rt::MaxHold::Unbounded),
            Setting::Switch(on) => quote_spanned!(*site=> #on),
            Setting::Expr => given.written.expr.to_token_stream(),
        }
    }
}

/// The `Duration` that generated code builds, in the largest unit that says it exactly.
fn duration(rt: &TokenStream, time: Duration, site: Span) -> TokenStream {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let below = time.subsec_nanos() % 1_000_000;
    if below == 0 {
        let millis = Literal::u64_unsuffixed(millis);
        quote_spanned!(site=> #rt::Duration::from_millis(#millis))
    } else {
        let (seconds, nanos) = (Literal::u64_unsuffixed(time.as_secs()), Literal::u32_unsuffixed(time.subsec_nanos()));
        quote_spanned!(site=> #rt::Duration::new(#seconds, #nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_emitted_exactly() {
        let rt: TokenStream = syn::parse_quote!(rt);
        let text = |time| duration(&rt, time, Span::call_site()).to_string().replace(' ', "");
        assert_eq!(text(Duration::from_secs(10)), "rt::Duration::from_millis(10000)");
        assert_eq!(text(Duration::from_nanos(1_500)), "rt::Duration::new(0,1500)");
    }
}
