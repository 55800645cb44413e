//! The only place that emits code: this file, with [`doc`], [`key`], [`options`] and [`warn`] below it. What it emits is read with
//! `cargo expand`, so it is short and shows the three verbs: acquire, renew while the body runs, release.
//!
//! **Invariant:** nothing that a user's code can shadow decides what this code means: runtime names go through one
//! absolute path, locals have [`Span::mixed_site`], there is no `use` and no `#[allow]`.

mod doc;
mod key;
mod options;
mod warn;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, FnArg, Pat, PatType, Signature};

use crate::args::{Args, Key};
use crate::function::{Form, Function, borrows, names};
use crate::output::Output;
use crate::pairs::Value;
use crate::parameters::Parameter;

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
//         __lock.release(__output, __fail).await
//     }
pub(crate) fn expand(args: &Args, function: &Function) -> TokenStream {
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

struct Expansion<'a> {
    args: &'a Args,
    function: &'a Function,
    output: Output,
    /// `::dlock_runtime::__rt`
    rt: TokenStream,
    /// Of every token that no user wrote.
    site: Span,
}

impl<'a> Expansion<'a> {
    fn new(args: &'a Args, function: &'a Function) -> Self {
        let site = Span::mixed_site();
        let rt = match &args.krate {
            Some(path) => quote_spanned!(site=> #path::__rt),
            None => quote_spanned!(site=> ::dlock_runtime::__rt),
        };
        Self { args, function, output: Output::of(function), rt, site }
    }

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
        // On stable `!` has no other name where a type is asked for.
        let output = match self.output.is_never {
            true => quote_spanned!(*site=> <fn() -> ! as #rt::Function>::Output),
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

    /// The block takes the parameters that it names, and of a struct only the fields that it names: the others would be
    /// dropped after the release. So each is named as a whole.
    ///
    /// Naming is use, so one that nothing uses is bound again under its own name, and "unused variable" is said of that.
    /// One that an expression names may have been moved by it, unless it stands there as `&name.field`, and one that
    /// `or_else` names may still be borrowed by it: they stay where they are.
    ///
    /// A plain function that makes a future has given the future only what is named in it, and dropped the rest when it
    /// was called. So only what an option named beside the body is taken.
    fn way_of(&self, parameter: &Parameter) -> Way {
        let Self { args, function, .. } = self;
        let name = parameter.name();
        if !parameter.dropped || names(args.or_else.to_token_stream(), &name) {
            return Way::Stays;
        }
        let in_template = self.template_names(&name);
        let in_expression = self.expressions().any(|expr| names(expr.to_token_stream(), &name));
        if !parameter.owned && !in_template && !in_expression {
            return Way::Stays;
        }
        match (function.body_names(&name), in_expression) {
            (true, _) => Way::Whole,
            (false, true) if self.expressions().all(|expr| borrows(expr.to_token_stream(), &name)) => Way::Whole,
            (false, true) => Way::Stays,
            (false, false) if !parameter.is_named() => Way::Whole,
            (false, false) if in_template || name == "self" => Way::Whole,
            (false, false) if name.starts_with('_') => Way::Unused,
            (false, false) => Way::Again,
        }
    }

    fn own(&self, parameter: &Parameter) -> Option<TokenStream> {
        let (Self { site, .. }, Parameter { ident, cfg, .. }) = (self, parameter);
        let ident = match self.way_of(parameter) {
            Way::Whole => ident.clone(),
            Way::Unused => self.unused(ident),
            Way::Stays | Way::Again => return None,
        };
        Some(quote_spanned!(*site=> #(#cfg)* let _ = &#ident;))
    }

    fn bind_again(&self, parameter: &Parameter) -> Option<TokenStream> {
        let (Self { site, .. }, Parameter { ident, cfg, lints, .. }) = (self, parameter);
        matches!(self.way_of(parameter), Way::Again)
            .then(|| quote_spanned!(*site=> #(#cfg)* #(#lints)* let #ident = #ident;))
    }

    /// A name that says it is unused must not be used in the user's eyes.
    fn unused(&self, ident: &Ident) -> Ident {
        Ident::new(&ident.to_string(), self.site.located_at(ident.span()))
    }

    /// The user's, except that names which say they are unused are ours, and that `#[expect(unused_variables)]` goes where
    /// its name now is unused.
    fn signature(&self) -> Signature {
        let mut signature = self.function.signature.clone();
        for parameter in &self.function.parameters {
            let binds = |input: &&mut PatType| names(input.pat.to_token_stream(), &parameter.name());
            let Some(input) = signature.inputs.iter_mut().filter_map(typed).find(binds) else { continue };
            match self.way_of(parameter) {
                Way::Unused => {
                    let unused = self.unused(&parameter.ident);
                    *input.pat = Pat::Verbatim(respanned(input.pat.to_token_stream(), &unused));
                }
                Way::Again => input.attrs.retain(|attribute| {
                    !attribute.path().is_ident("expect") || !names(attribute.meta.to_token_stream(), "unused_variables")
                }),
                Way::Stays | Way::Whole => {}
            }
        }
        signature
    }

    fn template_names(&self, name: &str) -> bool {
        match &self.args.key {
            Some(Key::Template(template)) => template.placeholders().any(|placeholder| placeholder.root == name),
            _ => false,
        }
    }

    /// The expressions that are evaluated before the body.
    fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let Args { key, ttl, wait, renew, max_hold, when, runtime, .. } = self.args;
        let times = [ttl, wait, renew, max_hold].into_iter().flatten().map(|given| &given.written.expr);
        let key = match key {
            Some(Key::Expr(key)) => Some(&key.expr),
            _ => None,
        };
        times.chain([key, when.as_ref().map(|when| &when.expr), runtime.as_ref()].into_iter().flatten())
    }

    fn release(&self) -> TokenStream {
        let Self { args, site, output, .. } = self;
        match (&args.or_else, output.is_result) {
            (None, _) => quote_spanned!(*site=> __lock.release(__output, __fail).await),
            (Some(_), true) => quote_spanned!(*site=> __lock.release_result_or(__output, __or_else).await),
            (Some(_), false) => quote_spanned!(*site=> __lock.release_or(__output, __or_else).await),
        }
    }
}

/// How the body takes a parameter.
enum Way {
    /// Not at all.
    Stays,
    /// By naming the whole.
    Whole,
    /// The same, hidden from lints about names that begin with `_`.
    Unused,
    /// Under its own name.
    Again,
}

/// The path with its names as they are, as if it stood there.
fn placed(path: &TokenStream, place: Span) -> TokenStream {
    let token = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        token
    };
    path.clone().into_iter().map(token).collect()
}

/// The pattern with this spelling of one of its names.
fn respanned(pattern: TokenStream, name: &Ident) -> TokenStream {
    let token = |token| match token {
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), respanned(group.stream(), name));
            inner.set_span(group.span());
            inner.into()
        }
        TokenTree::Ident(ident) if ident == *name => name.clone().into(),
        other => other,
    };
    pattern.into_iter().map(token).collect()
}

fn typed(input: &mut FnArg) -> Option<&mut PatType> {
    match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

/// Braces that the compiler takes for the user's own, as when it says that the last expression is missing.
fn braces_like(body: &Group, inner: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, inner);
    group.set_span(body.span());
    group
}
