//! The names that the parameters bind: what placeholders can say, and what must be dropped before the lock is released.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, FnArg, Pat, ReceiverKind, Signature, Type};

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
}

impl Parameter {
    /// As a placeholder names it: without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
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
            }),
            FnArg::Typed(typed) => bindings(&typed.pat, drop_matters(&typed.ty), &typed.attrs, &mut found),
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
fn bindings(pattern: &Pat, dropped: bool, attributes: &[Attribute], found: &mut Vec<Parameter>) {
    let mut all = |patterns: &mut dyn Iterator<Item = &Pat>| {
        patterns.for_each(|inner| bindings(inner, dropped, attributes, found));
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
fn drop_matters(ty: &Type) -> bool {
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

/// Gives `_: T` a name nobody can write, since what has no name cannot be moved into the body.
pub(crate) fn name_the_unnamed(signature: &mut Signature) -> Vec<Parameter> {
    let mut unnamed = Vec::new();
    if signature.asyncness.is_none() {
        return unnamed;
    }
    for (position, input) in signature.inputs.iter_mut().enumerate() {
        if let FnArg::Typed(typed) = input
            && matches!(*typed.pat, Pat::Wild(_))
            && drop_matters(&typed.ty)
        {
            let ident = format_ident!("__unnamed{position}", span = Span::mixed_site());
            *typed.pat = Pat::Ident(syn::PatIdent {
                attrs: Vec::new(),
                by_ref: None,
                mutability: None,
                ident: ident.clone(),
                subpat: None,
            });
            unnamed.push(Parameter { ident, dropped: true, cfg: conditions(&typed.attrs), lints: Vec::new() });
        }
    }
    unnamed
}
