//! Looking through tokens that are not parsed.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ext::IdentExt;

/// Whether the token is this sign.
pub(crate) fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// The braces, also where a `$body:block` of a `macro_rules!` has put an invisible group around them.
pub(crate) fn braces(token: TokenTree) -> Result<Group, TokenTree> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Ok(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            match (inner.next(), inner.next()) {
                (Some(only), None) => braces(only),
                _ => Err(group.into()),
            }
        }
        other => Err(other),
    }
}

/// Whether the tokens may name this variable: as an identifier that is no field or method (`order.id`), or in a string, where a
/// format macro would find it (`"{id}"`).
pub(crate) fn names(tokens: TokenStream, name: &str) -> bool {
    let mut dots = 0;
    tokens.into_iter().any(|token| {
        let before = std::mem::take(&mut dots);
        match token {
            TokenTree::Group(group) => names(group.stream(), name),
            TokenTree::Ident(ident) => before != 1 && ident.unraw() == name,
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name)
            }
            TokenTree::Punct(punct) => {
                dots = if punct.as_char() == '.' { before + 1 } else { 0 };
                false
            }
        }
    })
}

/// Whether these tokens, in which an expression stands, only borrow this variable: as `&order`, `f(&order.sku, 1)` or in a
/// string. Anything else may move it.
pub(crate) fn borrows(tokens: TokenStream, name: &str) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_punct =
        |at: usize, character| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == character);
    tokens.iter().enumerate().all(|(at, token)| match token {
        TokenTree::Group(group) => borrows(group.stream(), name),
        TokenTree::Ident(ident) if ident.unraw() == name && (at == 0 || !is_punct(at - 1, '.')) => {
            let begins = |at: usize| at == 0 || is_punct(at - 1, ',');
            let mut end = at + 1;
            while is_punct(end, '.') && matches!(tokens.get(end + 1), Some(TokenTree::Ident(_) | TokenTree::Literal(_)))
            {
                end += 2;
            }
            at > 0 && is_punct(at - 1, '&') && begins(at - 1) && (end == tokens.len() || is_punct(end, ','))
        }
        _ => true,
    })
}

/// Whether the identifier stands anywhere in the tokens.
pub(crate) fn names_anywhere(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => names_anywhere(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_reference_is_a_borrow_for_sure() {
        let borrows = |text: &str| borrows(text.parse().expect("tokens"), "order");
        for text in [
            "&order",
            "&order.locks.0",
            "f(&order)",
            "g(1, &order.sku, h(&order))",
            "format!(\"{order}\")",
            "other",
            "x.order",
        ] {
            assert!(borrows(text), "{text}");
        }
        for text in [
            "order",
            "order.sku",
            "&order.sku()",
            "&order.sku.take()",
            "f(order)",
            "1 & order",
            "&order.sku + 1",
            "&&order",
            "&order[0]",
            "f(&order, order)",
        ] {
            assert!(!borrows(text), "{text}");
        }
    }
}
