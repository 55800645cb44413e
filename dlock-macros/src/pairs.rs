//! `name = value, name = value`: the syntax between the brackets, before anyone asks what an option means.
//!
//! A value is any expression, and closures hold commas (`|a, b| ..`), so options are not split at commas but parsed one
//! after the other. After a mistake, reading goes on where the next `, name =` stands.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token};

use crate::mistake::{Mistakes, mistake};

/// One option as written.
pub(crate) struct Pair {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

/// Every option that can be read; what is wrong with the others goes to `mistakes`.
pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let outcome = Parser::parse2(
        |input: ParseStream<'_>| {
            while !input.is_empty() {
                match pair(input) {
                    Ok(pair) => pairs.push(pair),
                    Err(error) => {
                        mistakes.add(error);
                        skip_to_next(input)?;
                    }
                }
                if input.is_empty() {
                    break;
                }
                if input.peek(Token![,]) {
                    input.parse::<Token![,]>()?;
                } else {
                    mistakes.add(mistake(
                        input.cursor().token_tree().map(|(token, _)| token),
                        "options are separated by commas",
                        "write a `,` between this option and the one before it",
                    ));
                    if !begins_pair(input) {
                        skip_to_next(input)?;
                        input.parse::<Option<Token![,]>>()?;
                    }
                }
            }
            Ok(())
        },
        tokens,
    );
    mistakes.keep(outcome);
    pairs
}

fn pair(input: ParseStream<'_>) -> syn::Result<Pair> {
    const FORM: &str = "options are written `name = value`, such as `key = \"stock:<id>\"`";
    if !input.peek(Ident::peek_any) {
        let token = input.cursor().token_tree().map(|(token, _)| token);
        return Err(mistake(token, "this is the value of no option", FORM));
    }
    let name = input.call(Ident::parse_any)?;
    if !input.peek(Token![=]) || input.peek(Token![==]) {
        return Err(mistake(&name, format!("`{name}` has no value"), FORM));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(mistake(equals, format!("`{name}` has no value"), FORM));
    }
    let value = input.parse().map_err(|error| {
        // The parser's own place: it knows how far the value could be read.
        let message = format!("the value of `{name}` cannot be read: {error}\nhelp: {FORM}");
        syn::Error::new(error.span(), message)
    })?;
    Ok(Pair { name, value })
}

/// Whether `name =` stands here.
fn begins_pair(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==])
}

/// Leaves the input at the comma before the next `name =`, or at the end.
fn skip_to_next(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(Token![,]) {
            let ahead = input.fork();
            ahead.parse::<Token![,]>()?;
            if begins_pair(&ahead) {
                break;
            }
        }
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
