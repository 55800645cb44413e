//! The only place that emits code: this folder, from which nothing but [`expand`] is called.
//! What it emits is read with `cargo expand`, so it is short and shows the three verbs: acquire, renew while the body runs,
//! release.
//!
//! **Invariant:** nothing that a user's code can shadow decides what this code means: runtime names go through one
//! absolute path, locals have [`Span::mixed_site`], there is no `use` and no `#[allow]`.

mod doc;
mod expansion;
mod key;
mod options;
mod parameters;
mod warn;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use self::expansion::{Expansion, braces_like, placed};
use crate::function::{Form, Function};
use crate::options::Options;
use crate::pairs::Value;

// Input:
//     #[distributed_lock(key = "stock:<id>", ttl = 10)]
//     async fn deduct(id: u64, qty: u32) -> Result<u32, StockError> { BODY }
//
// Output:
//     async fn deduct(id: u64, qty: u32) -> Result<u32, StockError> {
//         let __key = ::dlock_runtime::__rt::key("stock:<id>", &[&id]);
//         let __options = ::dlock_runtime::__rt::options("deduct").ttl_ms(10000);
//         let __fail = ::dlock_runtime::__rt::fail::<Result<u32, StockError>>();
//         let __lock = match ::dlock_runtime::__rt::acquire(__key, __options).await {
//             ::core::result::Result::Ok(__lock) => __lock,
//             ::core::result::Result::Err(__err) => return __fail.with(__err),
//         };
//         let __output = __lock.renew_while(async move {
//             if false { return ::dlock_runtime::__rt::returns::<Result<u32, StockError>>(); }
//             BODY
//         }).await;
//         return __lock.release(__output, __fail).await;
//     }
pub(crate) fn expand(args: &Options, function: &Function) -> TokenStream {
    let Function { attributes, visibility, default, inner_attributes, body, form, .. } = function;
    let expansion = Expansion::new(args, function);
    let statements = expansion.statements();
    let braces = |inner: TokenStream| braces_like(body, inner);
    let content = match form {
        Form::Async => statements,
        Form::Block { pin, keywords } => {
            let inner = braces(statements);
            match pin {
                Some(pin) => quote!(#pin(#keywords #inner)),
                None => quote!(#keywords #inner),
            }
        }
    };
    let block = braces(quote!(#(#inner_attributes)* #content));
    let signature = expansion.signature();
    let doc = expansion.doc();
    let (before, after) = attributes.split_at(doc.as_ref().map_or(0, |line| line.after));
    let doc = doc.map(|line| line.attributes);
    quote!(#(#before)* #doc #(#after)* #visibility #default #signature #block)
}

impl Expansion<'_> {
    fn statements(&self) -> TokenStream {
        let Self { args, site, .. } = *self;
        let warnings = self.warnings();
        let unpacked = &self.function.unpacked;
        let lock = self.lock();
        let guard = args.guard.as_ref().map(|guard| quote_spanned!(site=> let #guard = __lock.guard();));
        let body = self.body();
        let release = self.release();
        quote_spanned! {site=>
            #warnings
            #unpacked
            #lock
            #guard
            let __output = __lock.renew_while(#body).await;
            #release
        }
    }

    /// What becomes of a `LockError`. This is the one place that asks it of the return type, so that a type that cannot
    /// carry it is told once, under the type.
    ///
    /// `or_else` is evaluated before the body takes the parameters, and through a function that tells a closure its types.
    fn outcome(&self) -> TokenStream {
        let Self { rt, site, .. } = self;
        let output = match self.output.is_never {
            true => self.never(),
            false => self.output.turbofish.clone(),
        };
        match &self.args.or_else {
            Some(or_else) => {
                let place = site.located_at(or_else.span());
                let rt = placed(rt, place);
                let typed = quote_spanned!(place=> #rt::or_else::<#output>(#or_else));
                quote_spanned!(*site=> let __or_else = #typed;)
            }
            None => quote_spanned!(*site=> let __fail = #rt::fail::<#output>();),
        }
    }

    fn lock(&self) -> TokenStream {
        let Self { args, rt, site, .. } = self;
        let fail = match args.or_else {
            // Clippy takes the `return` of a call that never returns for a mistake.
            Some(_) if self.output.is_never => quote_spanned!(*site=> __or_else(__err)),
            Some(_) => quote_spanned!(*site=> return __or_else(__err)),
            None => quote_spanned!(*site=> return __fail.with(__err)),
        };
        // Each in a statement of its own: what they borrow must not live across the await.
        let key = self.key();
        let options = self.options();
        let prepare = quote_spanned!(*site=> let __key = #key; let __options = #options;);
        let acquire = quote_spanned! {*site=>
            match #rt::acquire(__key, __options).await {
                ::core::result::Result::Ok(__lock) => __lock,
                ::core::result::Result::Err(__err) => #fail,
            }
        };
        let outcome = self.outcome();
        match &args.when {
            None => quote_spanned!(*site=> #prepare #outcome let __lock = #acquire;),
            Some(Value { expr: when, .. }) => quote_spanned! {*site=>
                let __when: ::core::primitive::bool = #when;
                #outcome
                let __lock = if __when { #prepare #acquire } else { #rt::unlocked() };
            },
        }
    }

    /// The user's body behind a line that is never reached: it gives the block its type, or the compiler would put the
    /// body's type errors on the attribute.
    fn body(&self) -> TokenStream {
        let Self { function, rt, site, .. } = self;
        let output = &self.output.turbofish;
        // What the block owns it drops in the order in which it is named here: as elsewhere, the last parameter first. What
        // it binds anew it drops before, in the opposite order.
        let owned = function.parameters.iter().rev().filter_map(|parameter| self.own(parameter));
        let again = function.parameters.iter().filter_map(|parameter| self.bind_again(parameter));
        let user = function.body.stream();
        // "Return type inferred to be this here" is said there.
        let returned = site.located_at(function.output.span());
        let returns = match self.output.is_never {
            true => TokenStream::new(),
            false => {
                let rt = placed(rt, returned);
                let returns = quote_spanned!(returned=> return #rt::returns::<#output>());
                quote_spanned!(*site=> if false { #returns; })
            }
        };
        let inner = quote_spanned! {*site=>
            #returns
            #(#owned)*
            #(#again)*
            #user
        };
        // With the user's own span the compiler names the variables when it speaks of what the block takes.
        let (place, block) = (function.body.span(), braces_like(&function.body, inner));
        quote_spanned!(place=> async move #block)
    }

    /// With a `return`, which `clippy::implicit_return` misses at the attribute otherwise. What never comes back is a
    /// statement, of which neither clippy nor the compiler says anything; there the type must be told, or it would be `()`.
    fn release(&self) -> TokenStream {
        let Self { args, site, output, .. } = self;
        match (&args.or_else, output.is_result) {
            (Some(_), _) if output.is_never => {
                let never = self.never();
                quote_spanned!(*site=> __lock.release_or::<#never>(__output, __or_else).await;)
            }
            (None, _) => quote_spanned!(*site=> return __lock.release(__output, __fail).await;),
            (Some(_), true) => quote_spanned!(*site=> return __lock.release_result_or(__output, __or_else).await;),
            (Some(_), false) => quote_spanned!(*site=> return __lock.release_or(__output, __or_else).await;),
        }
    }

    /// On stable `!` has no other name where a type is asked for.
    fn never(&self) -> TokenStream {
        let Self { rt, site, .. } = self;
        quote_spanned!(*site=> <fn() -> ! as #rt::Function>::Output)
    }
}
