//! Functions that are not `async` themselves and whose whole body is one `async move` block: one that returns
//! `impl Future<Output = T>`, or `Pin<Box<dyn Future<Output = T>>>` and stands in `Box::pin(..)`. In the second form
//! `#[async_trait]` hands its methods on, since it expands before us.
//!
//! The lock goes inside the block, where what the body names of the parameters is already owned and `T` is what the body
//! gives.

use crate::parameters::{self, Parameter};
use crate::tokens::{braces, is_punct};
use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{AssocType, GenericArgument, Pat, Path, PathArguments, ReturnType, Signature, Token, Type, TypeParamBound};

/// The parts of such a function.
pub(crate) struct Block {
    /// `T` of `Output = T`.
    pub(crate) output: Type,
    /// The path that is called with the block, `Box::pin`, if one is.
    pub(crate) pin: Option<TokenStream>,
    /// `async move`, as the user wrote it.
    pub(crate) keywords: TokenStream,
    /// The braces after it.
    pub(crate) body: Group,
}

/// Takes the function apart if it has one of these forms.
pub(crate) fn find(signature: &Signature, body: &Group) -> Option<Block> {
    let ReturnType::Type(_, returned) = &signature.output else { return None };
    let (output, pin, (keywords, body)) = match ungrouped(returned) {
        Type::ImplTrait(future) => (output_of(&future.bounds)?, None, Parser::parse2(block, body.stream()).ok()?),
        boxed => {
            let Type::TraitObject(object) = argument(argument(boxed, "Pin")?, "Box")? else { return None };
            let (pin, block) = Parser::parse2(pinned, body.stream()).ok()?;
            (output_of(&object.bounds)?, Some(pin), block)
        }
    };
    Some(Block { output, pin, keywords, body })
}

/// `#[async_trait]` calls a parameter that is a pattern `__arg1` and lets its block take it apart. Takes such a `let` out of
/// the block, since the key may name what they bind, and puts what they bind in the place of `__arg1`.
pub(crate) fn unpack(body: Group, signature: &Signature, parameters: &mut Vec<Parameter>) -> (TokenStream, Group) {
    let mut unpacked = TokenStream::new();
    if signature.asyncness.is_some() || parameters.iter().all(|parameter| !is_packed(&parameter.ident)) {
        return (unpacked, body);
    }
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let mut rest = TokenStream::new();
    let mut at = 0;
    while at < tokens.len() {
        let length = tokens[at..].iter().position(|token| is_punct(token, ';')).map_or(0, |end| end + 1);
        let found = binding(&tokens[at..at + length]).and_then(|(pattern, packed)| {
            let position = parameters.iter().position(|parameter| parameter.ident == packed)?;
            let Parameter { dropped, cfg, .. } = &parameters[position];
            let mut bound = Vec::new();
            parameters::bindings(&pattern, *dropped, cfg, true, &mut bound);
            // A `_` is left to the body, which then owns the whole.
            (!bound.is_empty()).then_some((bound, position))
        });
        let Some((bound, position)) = found else {
            rest.extend([tokens[at].clone()]);
            at += 1;
            continue;
        };
        parameters.splice(position..=position, bound);
        unpacked.extend(tokens[at..at + length].iter().cloned());
        at += length;
    }
    let mut braces = Group::new(Delimiter::Brace, rest);
    braces.set_span(body.span());
    (unpacked, braces)
}

fn is_packed(ident: &Ident) -> bool {
    ident.to_string().starts_with("__arg")
}

/// `let PATTERN = { let __arg1 = __arg1; __arg1 };`, after a `#[cfg(..)]` if the parameter has one.
fn binding(tokens: &[TokenTree]) -> Option<(Pat, Ident)> {
    let tokens = match tokens {
        [hash, TokenTree::Group(_), rest @ ..] if is_punct(hash, '#') => rest,
        _ => tokens,
    };
    let [TokenTree::Ident(word), pattern @ .., equals, TokenTree::Group(value), _] = tokens else { return None };
    let TokenTree::Ident(packed) = value.stream().into_iter().last()? else { return None };
    if word != "let" || !is_punct(equals, '=') || !is_packed(&packed) {
        return None;
    }
    let pattern = Parser::parse2(Pat::parse_single, pattern.iter().cloned().collect()).ok()?;
    Some((pattern, packed))
}

/// `async move { .. }` and nothing else.
fn block(input: ParseStream<'_>) -> syn::Result<(TokenStream, Group)> {
    let asynchronous: Token![async] = input.parse()?;
    let moving: Token![move] = input.parse()?;
    let body = braces(input.parse()?).map_err(|_| input.error("expected a block"))?;
    Ok((quote::quote!(#asynchronous #moving), body))
}

/// `Box::pin(async move { .. })` and nothing else.
fn pinned(input: ParseStream<'_>) -> syn::Result<(TokenStream, (TokenStream, Group))> {
    let path: Path = input.call(Path::parse_mod_style)?;
    let arguments;
    syn::parenthesized!(arguments in input);
    let block = block(&arguments)?;
    arguments.parse::<Option<Token![,]>>()?;
    let called_pin = path.segments.last().is_some_and(|segment| segment.ident == "pin");
    if !arguments.is_empty() || !input.is_empty() || !called_pin {
        return Err(input.error("expected `Box::pin(async move { .. })` alone"));
    }
    Ok((path.into_token_stream(), block))
}

/// `T` of `Future<Output = T> + ..`.
fn output_of(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<Type> {
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let future = bound.path.segments.last().filter(|segment| segment.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &future.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Output" => Some(ty.clone()),
            _ => None,
        })
    })
}

/// `T` of `..::name<T>`.
fn argument<'a>(of: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ungrouped(of) else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

/// Without the invisible groups that a `macro_rules!` puts around a type.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        other => other,
    }
}
