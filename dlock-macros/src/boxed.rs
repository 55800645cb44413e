//! The form in which `#[async_trait]` hands its methods on, since it expands before us: a plain function that returns
//! `Pin<Box<dyn Future<Output = T>>>` and whose whole body is `Box::pin(async move { .. })`.
//!
//! The lock goes inside the inner braces, where the parameters are already owned and `T` is what the body gives.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{AssocType, GenericArgument, Path, PathArguments, ReturnType, Signature, Token, Type, TypeParamBound};

/// The parts of such a function.
pub(crate) struct Boxed {
    /// `T` of `Output = T`.
    pub(crate) output: Type,
    /// The path that is called, `Box::pin`.
    pub(crate) before: TokenStream,
    /// The braces after `async move`.
    pub(crate) body: Group,
}

/// Takes the function apart if it has this form.
pub(crate) fn find(signature: &Signature, body: &Group) -> Option<Boxed> {
    let ReturnType::Type(_, returned) = &signature.output else { return None };
    let output = output_of(returned)?;
    let (before, body) = Parser::parse2(pinned, body.stream()).ok()?;
    Some(Boxed { output, before, body })
}

/// `Box::pin(async move { .. })` and nothing else.
fn pinned(input: ParseStream<'_>) -> syn::Result<(TokenStream, Group)> {
    let path: Path = input.call(Path::parse_mod_style)?;
    let arguments;
    syn::parenthesized!(arguments in input);
    arguments.parse::<Token![async]>()?;
    arguments.parse::<Token![move]>()?;
    let body = match arguments.parse()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => group,
        _ => return Err(arguments.error("expected a block")),
    };
    arguments.parse::<Option<Token![,]>>()?;
    let called_pin = path.segments.last().is_some_and(|segment| segment.ident == "pin");
    if !arguments.is_empty() || !input.is_empty() || !called_pin {
        return Err(input.error("expected `Box::pin(async move { .. })` alone"));
    }
    Ok((quote::ToTokens::into_token_stream(path), body))
}

/// `T` of `Pin<Box<dyn Future<Output = T> + ..>>`.
fn output_of(returned: &Type) -> Option<Type> {
    let boxed = argument(returned, "Pin")?;
    let Type::TraitObject(object) = argument(boxed, "Box")? else { return None };
    object.bounds.iter().find_map(|bound| {
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
    let of = match of {
        Type::Group(group) => &group.elem,
        other => other,
    };
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}
