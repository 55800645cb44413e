//! Functions that are not `async` themselves and whose whole body is one `async move` block: one that returns
//! `impl Future<Output = T>`, or `Pin<Box<dyn Future<Output = T>>>` and stands in `Box::pin(..)`. In the second form
//! `#[async_trait]` hands its methods on, since it expands before us.
//!
//! The lock goes inside the block, where what the body names of the parameters is already owned and `T` is what the body
//! gives.

use crate::function::braces;
use proc_macro2::{Group, TokenStream};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{AssocType, GenericArgument, Path, PathArguments, ReturnType, Signature, Token, Type, TypeParamBound};

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
