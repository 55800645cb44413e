//! The attribute as the checks see it: as it is, or weakened from outside.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use syn::LitStr;

use crate::attribute::attribute;
use crate::check;
use crate::mistake::Mistakes;
use crate::template::{Part, Template};

/// What the checks call.
pub struct Attribute {
    pub(crate) expand: fn(TokenStream, TokenStream) -> TokenStream,
    /// The template that is looked at in the place of the one that is written.
    pub(crate) look_at: fn(&str) -> String,
    pub(crate) read_text: fn(String) -> String,
}

/// A part of a template.
pub(crate) enum Piece {
    Text(String),
    Value,
}

impl Attribute {
    /// As it is.
    pub const AS_IT_IS: Self = Self { expand: attribute, look_at: str::to_owned, read_text: |text| text };

    /// The parts of a template and whether its rules accept it, if it can be read.
    pub(crate) fn read(&self, text: &str) -> Option<(Vec<Piece>, bool)> {
        let accepted = template(&(self.look_at)(text)).is_some_and(|(_, accepted)| accepted);
        let (template, _) = template(text)?;
        let piece = |part| match part {
            Part::Text(text) => Piece::Text((self.read_text)(text)),
            Part::Value(_) => Piece::Value,
        };
        Some((template.parts.into_iter().map(piece).collect(), accepted))
    }

    /// What becomes of `item` with this template as its key.
    pub(crate) fn expand_key(&self, text: &str, item: TokenStream) -> TokenStream {
        let [written, seen] = [text.to_owned(), (self.look_at)(text)].map(|text| LitStr::new(&text, Span::call_site()));
        let output = (self.expand)(quote!(key = #seen), item);
        if written.value() == seen.value() { output } else { with(output, &seen.token().to_string(), &written) }
    }
}

fn template(text: &str) -> Option<(Template, bool)> {
    let mut mistakes = Mistakes::default();
    let template = Template::read(&LitStr::new(text, Span::call_site()), &mut mistakes)?;
    check::template(&template, None, &mut mistakes);
    Some((template, mistakes.into_compile_errors().is_none()))
}

/// `literal` in the place of what reads as `seen`.
fn with(tokens: TokenStream, seen: &str, literal: &LitStr) -> TokenStream {
    let replace = |token| match token {
        TokenTree::Literal(other) if other.to_string() == seen => literal.token().into(),
        TokenTree::Group(group) => {
            proc_macro2::Group::new(group.delimiter(), with(group.stream(), seen, literal)).into()
        }
        other => other,
    };
    tokens.into_iter().map(replace).collect()
}
