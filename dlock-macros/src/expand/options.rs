//! The options of a call, as far as they are for the runtime.

use std::time::Duration;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;

use super::expansion::Expansion;
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
        add("fenced", args.guard.as_ref().map(|_| TokenStream::new()));
        add("label", args.label.as_ref().map(ToTokens::to_token_stream));
        let times = [("ttl", &args.ttl), ("wait", &args.wait), ("renew", &args.renew), ("max_hold", &args.max_hold)];
        for (name, given) in times {
            let Some(given) = given else { continue };
            match whole_millis(given.setting) {
                Some(millis) => add(&format!("{name}_ms"), Some(millis.to_token_stream())),
                None => add(name, Some(self.time(given))),
            }
        }
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
            Setting::Time(time) => {
                let seconds = Literal::u64_unsuffixed(time.as_secs());
                let nanos = Literal::u32_unsuffixed(time.subsec_nanos());
                quote_spanned!(*site=> #rt::Duration::new(#seconds, #nanos))
            }
            Setting::Forever => quote_spanned!(*site=> #rt::Wait::Forever),
            Setting::Unbounded => quote_spanned!(*site=> #rt::MaxHold::Unbounded),
            Setting::Switch(on) => quote_spanned!(*site=> #on),
            Setting::Expr => given.written.expr.to_token_stream(),
        }
    }
}

/// For `.ttl_ms(10000)`, which reads better than a `Duration`.
fn whole_millis(setting: Setting) -> Option<Literal> {
    let Setting::Time(time) = setting else { return None };
    let millis = u64::try_from(time.as_millis()).ok()?;
    (Duration::from_millis(millis) == time).then(|| Literal::u64_unsuffixed(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_milliseconds_are_emitted_as_such() {
        let text = |time| whole_millis(Setting::Time(time)).map(|literal| literal.to_string());
        assert_eq!(text(Duration::from_secs(10)), Some("10000".to_owned()));
        assert_eq!(text(Duration::ZERO), Some("0".to_owned()));
        assert_eq!(text(Duration::from_nanos(1_500)), None);
    }
}
