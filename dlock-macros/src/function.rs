//! The item under the attribute: its signature is parsed, its body stays tokens, and what cannot hold a lock is refused.
//!
//! Body tokens are never parsed as Rust, so half-typed code still expands and editors keep working. They are only looked
//! through for names ([`Function::body_names`]).

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, ReturnType, Signature, Token, Type, Visibility};

use crate::block::{self, Block};
use crate::mistake::mistake;
use crate::parameters::{self, Parameter};
use crate::tokens::{braces, names, names_anywhere};

/// A function that can hold a lock.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// `default`, of an unstable feature; kept as it is.
    pub(crate) default: Option<Ident>,
    pub(crate) signature: Signature,
    /// `#![..]` at the head of the body.
    pub(crate) inner_attributes: Vec<Attribute>,
    /// The braces and everything between them, inner attributes excepted.
    pub(crate) body: Group,
    /// What the body gives; `()` where nothing is written.
    pub(crate) output: Type,
    pub(crate) form: Form,
    /// Also those that stand for a `_` in the signature.
    pub(crate) parameters: Vec<Parameter>,
    /// The `let (id, qty) = { .. };` in which `#[async_trait]` says what the user's pattern was.
    pub(crate) unpacked: TokenStream,
}

/// How the function makes its future.
pub(crate) enum Form {
    /// `async fn`
    Async,
    /// A plain function: the body is what stands in the braces of `Box::pin(async move { .. })`, or without a `pin` of
    /// `async move { .. }`.
    Block { pin: Option<TokenStream>, keywords: TokenStream },
}

impl Function {
    /// Reads the item, or says why it cannot hold a lock.
    pub(crate) fn read(item: TokenStream) -> syn::Result<Self> {
        Parser::parse2(parse, item)
    }

    /// The parameters that the user gave a name.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.is_named())
    }

    /// Whether the body may name this variable: as an identifier that is no field or method (`order.id`), or in a string,
    /// where a format macro would find it (`"{id}"`).
    pub(crate) fn body_names(&self, name: &str) -> bool {
        names(self.body.stream(), name)
    }
}

fn parse(input: ParseStream<'_>) -> syn::Result<Function> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let default = match input.cursor().ident() {
        Some((ident, _)) if ident == "default" => Some(input.parse()?),
        _ => None,
    };
    if !begins_function(input) {
        let rest: TokenStream = input.parse()?;
        let first = rest.into_iter().next();
        return Err(mistake(
            first,
            "only a function can hold a lock while it runs",
            "put the attribute on an `async fn`; in an `impl` or a `trait`, on each of its methods that needs it",
        ));
    }
    let mut signature: Signature = input.parse()?;
    if input.peek(Token![;]) {
        let semicolon: Token![;] = input.parse()?;
        return Err(mistake(
            semicolon,
            "a function without a body has nothing to hold a lock for",
            "put the attribute on the methods of the implementations, or give this one a default body",
        ));
    }
    let written = match braces(input.parse()?) {
        Ok(group) => group,
        Err(other) => return Err(mistake(other, "a function's body stands in braces", "write `{ .. }`")),
    };
    let (inner_attributes, body) = without_attributes(written);
    let (output, form, body) = match (&signature.asyncness, block::find(&signature, &body)) {
        (Some(_), _) => (declared(&signature), Form::Async, body),
        (None, Some(Block { output, pin, keywords, body })) => (output, Form::Block { pin, keywords }, body),
        (None, None) => return Err(not_async(&signature, &attributes, &body)),
    };
    if signature.asyncness.is_some() {
        parameters::name_the_unnamed(&mut signature);
    }
    let mut parameters = parameters::named(&signature);
    let (unpacked, body) = block::unpack(body, &signature, &mut parameters);
    Ok(Function {
        attributes,
        visibility,
        default,
        signature,
        inner_attributes,
        body,
        output,
        form,
        parameters,
        unpacked,
    })
}

/// Whether what follows the visibility is `fn`, after any of its modifiers.
fn begins_function(input: ParseStream<'_>) -> bool {
    let mut cursor = input.cursor();
    while let Some((token, next)) = cursor.token_tree() {
        match token {
            TokenTree::Ident(ident) if ident == "fn" => return true,
            TokenTree::Ident(ident)
                if ["const", "async", "unsafe", "safe", "extern", "gen"].iter().any(|m| ident == m) => {}
            TokenTree::Literal(_) => {}
            _ => return false,
        }
        cursor = next;
    }
    false
}

fn not_async(signature: &Signature, attributes: &[Attribute], body: &Group) -> syn::Error {
    if let Some(constness) = &signature.constness {
        return mistake(constness, "a `const fn` cannot wait for a lock", "make it an `async fn`");
    }
    // What `#[tokio::main]` and `#[tokio::test]` leave when they stand above and go first.
    let test = attributes
        .iter()
        .any(|attribute| attribute.path().segments.last().is_some_and(|segment| segment.ident == "test"));
    let help = if test || names_anywhere(body.stream(), "block_on") {
        "if an attribute above has already made this function blocking (`#[tokio::main]`, `#[tokio::test]`), \
         move it below `#[distributed_lock]`"
    } else if matches!(signature.output, ReturnType::Type(..))
        && names_anywhere(signature.output.to_token_stream(), "Future")
    {
        "write `async fn` and the type that the future gives; a function that returns a future can hold a lock \
         if its whole body is one `async move { .. }`, or `Box::pin(async move { .. })`"
    } else {
        "write `async fn`; in blocking code, take the lock by hand with `runtime.lock(key)`"
    };
    mistake(signature.fn_token, "waiting for a lock needs an `async fn`", help)
}

/// The return type. Where none is written, `()` at the place of the function's name, so that errors about it go there.
fn declared(signature: &Signature) -> Type {
    match &signature.output {
        ReturnType::Default => Type::Tuple(syn::parse_quote_spanned!(signature.ident.span()=> ())),
        ReturnType::Type(_, output) => (**output).clone(),
    }
}

/// `#![allow(..)]` may only stand at the head of the function, which is not where the body goes.
fn without_attributes(body: Group) -> (Vec<Attribute>, Group) {
    let read = |input: ParseStream<'_>| Ok((input.call(Attribute::parse_inner)?, TokenStream::parse(input)?));
    // Half-typed ones stay in the body, where the compiler tells of them.
    let Ok((attributes, rest)) = Parser::parse2(read, body.stream()) else { return (Vec::new(), body) };
    let mut bare = Group::new(Delimiter::Brace, rest);
    bare.set_span(body.span());
    (attributes, bare)
}
