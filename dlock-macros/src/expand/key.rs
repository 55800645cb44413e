//! The key of a call: the template with its values, or the expression with its label.

use proc_macro2::{Literal, Punct, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

use super::expansion::Expansion;
use crate::options::Key;
use crate::pairs::Value;
use crate::parameters::Parameter;
use crate::template::{self, Field, Placeholder, Template};

impl Expansion<'_> {
    pub(super) fn key(&self) -> TokenStream {
        let Self { rt, site, .. } = self;
        match &self.args.key {
            Some(Key::Template(template)) => {
                let literal = &template.literal;
                let values = template.placeholders().map(|placeholder| self.value(template, placeholder));
                quote_spanned!(*site=> #rt::key(#literal, &[#(#values),*]))
            }
            Some(Key::Expr(Value { expr, text })) => {
                // So that a key of the wrong type is told at the expression.
                let place =
                    expr.to_token_stream().into_iter().next().map_or(*site, |first| site.located_at(first.span()));
                let borrowed = quote_spanned!(place=> &(#expr));
                quote_spanned!(*site=> #rt::key_from(#text, #borrowed))
            }
            None => TokenStream::new(),
        }
    }

    /// `&order.sku`. An error about it points at the template (no part of a literal can be pointed at), and the name means
    /// what it means where the parameter was written, even when the template came through a `macro_rules!`.
    fn value(&self, template: &Template, placeholder: &Placeholder) -> TokenStream {
        let known = self.function.named().find(|parameter| parameter.name() == placeholder.root);
        // An unknown name was told before; nothing is emitted then.
        let Some(Parameter { ident, .. }) = known else { return TokenStream::new() };
        let span = template.literal.span().resolved_at(ident.span());
        let token = |mut token: TokenTree| {
            token.set_span(span);
            token
        };
        let punct = |character| token(Punct::new(character, Spacing::Alone).into());
        let mut tokens = vec![punct('&'), token(ident.clone().into())];
        for field in &placeholder.fields {
            tokens.push(punct('.'));
            tokens.push(match field {
                Field::Named(name) => template::ident(name, span).into(),
                Field::Index(index) => token(Literal::u32_unsuffixed(*index).into()),
            });
        }
        tokens.into_iter().collect()
    }
}
