//! How the body takes the function's parameters, so that they are dropped before the lock is released, in the order in
//! which a plain function drops them, and with no lint said of them that the author's own code does not earn.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, FnArg, Pat, PatType, Signature};

use super::expansion::Expansion;
use crate::options::{Key, Options};
use crate::parameters::Parameter;
use crate::tokens::{borrows, names};

impl Expansion<'_> {
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

    pub(super) fn own(&self, parameter: &Parameter) -> Option<TokenStream> {
        let (Self { site, .. }, Parameter { ident, cfg, .. }) = (self, parameter);
        let ident = match self.way_of(parameter) {
            Way::Whole => ident.clone(),
            Way::Unused => self.unused(ident),
            Way::Stays | Way::Again => return None,
        };
        Some(quote_spanned!(*site=> #(#cfg)* let _ = &#ident;))
    }

    pub(super) fn bind_again(&self, parameter: &Parameter) -> Option<TokenStream> {
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
    pub(super) fn signature(&self) -> Signature {
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
        let Options { key, ttl, wait, renew, max_hold, when, runtime, .. } = self.args;
        let times = [ttl, wait, renew, max_hold].into_iter().flatten().map(|given| &given.written.expr);
        let key = match key {
            Some(Key::Expr(key)) => Some(&key.expr),
            _ => None,
        };
        times.chain([key, when.as_ref().map(|when| &when.expr), runtime.as_ref()].into_iter().flatten())
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
