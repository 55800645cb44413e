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
    pub(crate) value: Result<Value, Unreadable>,
}

/// What is no expression.
pub(crate) struct Unreadable {
    pub(crate) tokens: TokenStream,
    pub(crate) error: syn::Error,
}

/// The value of an option.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) expr: Expr,
    /// In one line, spaced as the user did: the parsed expression has forgotten that.
    pub(crate) text: String,
}

/// Every option that can be read, and the names of others; what is wrong with these goes to `mistakes`.
pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> (Vec<Pair>, Vec<Ident>) {
    let (mut pairs, mut broken) = (Vec::new(), Vec::new());
    let outcome = Parser::parse2(
        |input: ParseStream<'_>| {
            while !input.is_empty() {
                let name = input.fork().call(Ident::parse_any);
                match pair(input) {
                    Ok(pair) => pairs.push(pair),
                    Err(error) => {
                        broken.extend(name);
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
    (pairs, broken)
}

const FORM: &str = "options are written `name = value`, such as `key = \"stock:<id>\"`";

fn pair(input: ParseStream<'_>) -> syn::Result<Pair> {
    if !input.peek(Ident::peek_any) {
        let token = input.cursor().token_tree().map(|(token, _)| token);
        return Err(mistake(token, "this is the value of no option", FORM));
    }
    let name = input.call(Ident::parse_any)?;
    if !input.peek(Token![=]) || input.peek(Token![==]) {
        return Err(no_equals(&name, input));
    }
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(mistake(equals, format!("`{name}` has no value"), FORM));
    }
    let (tokens, expr) = value(input)?;
    let value = match expr {
        Ok(expr) => Ok(Value { expr, text: in_one_line(&tokens) }),
        Err(error) => Err(Unreadable { error: unreadable(&name, &tokens, &error), tokens }),
    };
    Ok(Pair { name, value })
}

/// What stands where `=` belongs.
fn no_equals(name: &Ident, input: ParseStream<'_>) -> syn::Error {
    if input.is_empty() || input.peek(Token![,]) {
        return mistake(name, format!("`{name}` has no value"), FORM);
    }
    if input.peek(Token![-]) && input.peek2(Ident::peek_any) {
        let rest: Vec<TokenTree> = input.cursor().token_stream().into_iter().take(2).collect();
        let rule = format!("an option's name has no `-`, as `{name}-{}` does", rest[1]);
        return mistake(name, rule, format!("write `{name}_{}`", rest[1]));
    }
    let token = input.cursor().token_tree().map(|(token, _)| token);
    mistake(token, format!("`{name}` and its value are joined by `=`"), format!("write `{name} = ..`"))
}

/// The expression that stands here, and its tokens; of one that cannot be read, all before the next option.
///
/// It is parsed in a fork, because a parser remembers what was left over in nested brackets, and would tell of it once more
/// at its very end.
fn value(input: ParseStream<'_>) -> syn::Result<(TokenStream, syn::Result<Expr>)> {
    let end = input.fork();
    match end.parse() {
        Ok(expr) => Ok((until(input, &end)?, Ok(expr))),
        Err(error) => {
            let end = input.fork();
            skip_to_next(&end)?;
            Ok((until(input, &end)?, Err(error)))
        }
    }
}

/// At the parser's own place, which knows how far the value could be read. Where that is the end of all, at the last token.
fn unreadable(name: &Ident, value: &TokenStream, error: &syn::Error) -> syn::Error {
    let at_the_end = error.to_string().starts_with("unexpected end of input");
    let last = value.clone().into_iter().last().filter(|_| at_the_end).map(|token| token.span());
    let message = format!("the value of `{name}` cannot be read: {error}\nhelp: {FORM}");
    syn::Error::new(last.unwrap_or(error.span()), message)
}

/// Takes the tokens up to the place where `end` stands.
fn until(input: ParseStream<'_>, end: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && input.cursor() != end.cursor() {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    Ok(tokens)
}

/// The compiler prints `format! (..)` for tokens that went through a macro.
fn in_one_line(tokens: &TokenStream) -> String {
    let text = tokens.to_string().replace("! (", "!(");
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
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
