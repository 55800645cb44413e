//! The names that the parameters bind: what placeholders can say, and what must be dropped before the lock is released.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, FnArg, Pat, PatIdent, ReceiverKind, Signature, Type};

/// A name that a parameter's pattern binds.
pub(crate) struct Parameter {
    /// With the span of the user, or `self`.
    pub(crate) ident: Ident,
    /// Whether it matters when it is dropped: not for references, numbers and the like.
    pub(crate) dropped: bool,
    /// `#[cfg]`s of the parameter, under which alone it exists.
    pub(crate) cfg: Vec<Attribute>,
    /// What is said of it to the compiler's lints, such as `#[allow(unused_variables)]`.
    pub(crate) lints: Vec<Attribute>,
    /// Whether the future owns it although its block names it nowhere: not in a plain function that makes one.
    pub(crate) owned: bool,
}

impl Parameter {
    /// As a placeholder names it: without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Whether the user gave the name.
    pub(crate) fn is_named(&self) -> bool {
        !self.ident.to_string().starts_with(UNNAMED)
    }
}

/// Every name that the parameters bind, in order.
pub(crate) fn named(signature: &Signature) -> Vec<Parameter> {
    let mut found = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => found.push(Parameter {
                ident: Ident::new("self", receiver.self_token.span),
                dropped: match &receiver.kind {
                    ReceiverKind::Reference(..) => false,
                    ReceiverKind::Typed(_, ty) => drop_matters(ty),
                    _ => true,
                },
                cfg: conditions(&receiver.attrs),
                lints: Vec::new(),
                owned: signature.asyncness.is_some(),
            }),
            FnArg::Typed(typed) => {
                bindings(&typed.pat, drop_matters(&typed.ty), &typed.attrs, signature.asyncness.is_some(), &mut found);
            }
        }
    }
    found
}

fn conditions(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

fn lints(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| LINTS.iter().any(|lint| attribute.path().is_ident(lint))).cloned().collect()
}

const LINTS: [&str; 5] = ["allow", "expect", "warn", "deny", "forbid"];

/// The names that a pattern binds, in the order of the pattern.
pub(crate) fn bindings(
    pattern: &Pat,
    dropped: bool,
    attributes: &[Attribute],
    owned: bool,
    found: &mut Vec<Parameter>,
) {
    let mut all = |patterns: &mut dyn Iterator<Item = &Pat>| {
        patterns.for_each(|inner| bindings(inner, dropped, attributes, owned, found));
    };
    match pattern {
        Pat::Ident(binding) => {
            if let Some((_, inner)) = &binding.subpat {
                all(&mut std::iter::once(&**inner));
            }
            // Each side of an or-pattern binds the same names.
            if found.iter().all(|known| known.ident != binding.ident) {
                let dropped = dropped && binding.by_ref.is_none();
                found.push(Parameter {
                    ident: binding.ident.clone(),
                    dropped,
                    cfg: conditions(attributes),
                    lints: lints(attributes),
                    owned,
                });
            }
        }
        Pat::Or(or) => all(&mut or.cases.iter()),
        Pat::Paren(paren) => all(&mut std::iter::once(&*paren.pat)),
        Pat::Reference(reference) => all(&mut std::iter::once(&*reference.pat)),
        Pat::Slice(slice) => all(&mut slice.elems.iter()),
        Pat::Struct(fields) => all(&mut fields.fields.iter().map(|field| &*field.pat)),
        Pat::Tuple(tuple) => all(&mut tuple.elems.iter()),
        Pat::TupleStruct(tuple) => all(&mut tuple.elems.iter()),
        _ => {}
    }
}

/// False for types of which dropping a value does nothing, as far as that can be read off the type.
pub(crate) fn drop_matters(ty: &Type) -> bool {
    const PLAIN: [&str; 16] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize",
    ];
    match ty {
        Type::Group(group) => drop_matters(&group.elem),
        Type::Path(path) => !path.path.get_ident().is_some_and(|name| PLAIN.iter().any(|plain| name == plain)),
        Type::Reference(_) => false,
        _ => true,
    }
}

/// Gives each `_` a name nobody can write, since what has no name cannot be moved into the body: that of a whole parameter,
/// and in tuples and slices. (Elsewhere in a pattern it may be a part of a type that implements `Drop`, or is borrowed.)
pub(crate) fn name_the_unnamed(signature: &mut Signature) {
    let mut count = 0;
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input {
            name_in(&mut typed.pat, Some(&typed.ty), &mut count);
        }
    }
}

const UNNAMED: &str = "__unnamed";

fn name_in(pattern: &mut Pat, ty: Option<&Type>, count: &mut usize) {
    let ty = match ty {
        Some(Type::Group(group)) => Some(&*group.elem),
        other => other,
    };
    if !ty.is_none_or(drop_matters) {
        return;
    }
    match pattern {
        Pat::Wild(_) => {
            let ident = format_ident!("{UNNAMED}{count}", span = Span::mixed_site());
            *count += 1;
            *pattern = Pat::Ident(PatIdent { attrs: Vec::new(), by_ref: None, mutability: None, ident, subpat: None });
        }
        Pat::Paren(paren) => name_in(&mut paren.pat, ty, count),
        Pat::Slice(slice) => slice.elems.iter_mut().for_each(|elem| name_in(elem, None, count)),
        Pat::Tuple(tuple) => {
            let types = match ty {
                // A `..` moves the types.
                Some(Type::Tuple(types)) if types.elems.len() == tuple.elems.len() => Some(&types.elems),
                _ => None,
            };
            for (position, elem) in tuple.elems.iter_mut().enumerate() {
                name_in(elem, types.map(|types| &types[position]), count);
            }
        }
        _ => {}
    }
}
