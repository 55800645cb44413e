//! What the function returns, as far as its tokens say.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{AssocType, GenericArgument, PathArguments, Type};

use crate::function::Function;

/// The return type as the expansion needs it.
pub(crate) struct Output {
    /// As it can stand between `::<` and `>`: `impl Trait` and `!` cannot, the compiler infers them.
    pub(crate) turbofish: TokenStream,
    /// Whether it is called `Result`. An alias of another name is treated as any other type.
    pub(crate) is_result: bool,
    /// Whether it is `!`.
    pub(crate) is_never: bool,
}

impl Output {
    pub(crate) fn of(function: &Function) -> Self {
        Self {
            turbofish: inferred(function.output.clone()).to_token_stream(),
            is_result: is_result(&function.output),
            is_never: matches!(function.output, Type::Never(_)),
        }
    }
}

fn is_result(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_result(&group.elem),
        Type::Paren(paren) => is_result(&paren.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Result"),
        _ => false,
    }
}

/// The type with `_` for every `impl Trait` in it and for `!`.
fn inferred(ty: Type) -> Type {
    let boxed = |elem: Box<Type>| Box::new(inferred(*elem));
    match ty {
        Type::ImplTrait(_) | Type::Never(_) => {
            // What the compiler says of it, it says at the type.
            let place = Span::mixed_site().located_at(ty.span());
            Type::Verbatim(quote_spanned!(place=> _))
        }
        Type::Array(mut array) => {
            array.elem = boxed(array.elem);
            Type::Array(array)
        }
        Type::Group(mut group) => {
            group.elem = boxed(group.elem);
            Type::Group(group)
        }
        Type::Paren(paren) => inferred(*paren.elem),
        Type::Reference(mut reference) => {
            reference.elem = boxed(reference.elem);
            Type::Reference(reference)
        }
        Type::Slice(mut slice) => {
            slice.elem = boxed(slice.elem);
            Type::Slice(slice)
        }
        Type::Tuple(mut tuple) => {
            tuple.elems.iter_mut().for_each(infer_in_place);
            Type::Tuple(tuple)
        }
        Type::Path(mut path) => {
            for segment in &mut path.path.segments {
                if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    for argument in &mut arguments.args {
                        match argument {
                            GenericArgument::Type(ty) => infer_in_place(ty),
                            GenericArgument::AssocType(AssocType { ty, .. }) => infer_in_place(ty),
                            _ => {}
                        }
                    }
                }
            }
            Type::Path(path)
        }
        other => other,
    }
}

fn infer_in_place(ty: &mut Type) {
    let own = std::mem::replace(ty, Type::Verbatim(TokenStream::new()));
    *ty = inferred(own);
}
