//! The text between the brackets of `#[distributed_lock(..)]`. A digit at its head chooses the function below it.
//!
//! What the compiler can read as tokens is either refused, each message with its cure and the item beside them, or expanded
//! into a function; and then the lock is asked for what the options say, for no less and no more.

use proc_macro2::{TokenStream, TokenTree};

use super::output::{arguments_of, errors, must_be_a_locked_function, must_refuse_well};
use crate::{Attribute, Verdict};

/// A plain one, a method with everything, what `#[async_trait]` makes of one, and one that cannot hold a lock.
const ITEMS: [&str; 4] = [
    "async fn deduct(id: u64, qty: u32) -> Result<u32, StockError> { read(id).await }",
    "pub async fn moved<T: Display>(self: Arc<Self>, Path(id): Path<T>, _: Permit, order: Order) -> u32 where Self: Sync \
     { #![allow(unused)] order.qty }",
    "fn deduct<'a>(&'a self, id: u64, qty: u32) -> Pin<Box<dyn Future<Output = Result<u32, E>> + Send + 'a>> \
     { Box::pin(async move { let __self = self; __self.read(id, qty).await }) }",
    "fn blocking(id: u64, qty: u32) -> u32 { read(id) - qty }",
];

/// The options that become a method of the same name.
const TOLD: [&str; 8] = ["label", "ttl", "wait", "renew", "max_hold", "on_lost", "reentrant", "runtime"];

thread_local! {
    static PARSED: [TokenStream; 4] = ITEMS.map(|item| item.parse().expect("tokens"));
}

/// Runs one input.
///
/// # Panics
/// If something does not hold that must.
pub(crate) fn check(attribute: &Attribute, text: &str) -> Verdict {
    let (item, text) = match text.as_bytes().first() {
        Some(digit @ b'0'..=b'3') => (usize::from(digit - b'0'), &text[1..]),
        _ => (0, text),
    };
    let Ok(options) = text.parse::<TokenStream>() else { return Verdict::Unread };
    let item = PARSED.with(|items| items[item].clone());
    let output = (attribute.expand)(options.clone(), item.clone());
    if arguments_of(&output, "acquire").is_empty() {
        let messages = errors(&output).unwrap_or_else(|| panic!("an error without a message: {output}"));
        assert!(!messages.is_empty(), "neither errors nor a lock: {output}");
        must_refuse_well(&output, &messages, &item);
        return Verdict::Refused;
    }
    if !has_unstable_syntax(&options) {
        must_be_a_locked_function(&output);
    }
    asks_for_what_was_said(&options, &output);
    Verdict::Accepted
}

/// `dyn*` and `become` are syntax of nightly compilers. syn reads them or not, depending on where they stand.
fn has_unstable_syntax(tokens: &TokenStream) -> bool {
    let mut after_dyn = false;
    tokens.clone().into_iter().any(|token| {
        let star = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '*');
        let found =
            after_dyn && star || matches!(&token, TokenTree::Group(group) if has_unstable_syntax(&group.stream()));
        after_dyn = matches!(&token, TokenTree::Ident(ident) if ident == "dyn");
        found || matches!(&token, TokenTree::Ident(ident) if ident == "become")
    })
}

/// `__rt::options("name").ttl(..)..` has a method for each option that was written, and none besides.
fn asks_for_what_was_said(options: &TokenStream, output: &TokenStream) {
    let asked = asked(output);
    let (written, certain) = written(options);
    for (method, value) in &asked {
        let name = option_of(method);
        assert!(written.iter().any(|written| written == name), "nobody said `{name}`: {output}");
        if method != name {
            never_too_short(name, value);
        }
    }
    for name in written.iter().filter(|name| certain && TOLD.contains(&name.as_str())) {
        assert!(asked.iter().any(|(method, _)| option_of(method) == name), "`{name}` is lost: {output}");
    }
}

/// `ttl` of `ttl_ms`, the form for a time that the attribute worked out.
fn option_of(method: &str) -> &str {
    method.strip_suffix("_ms").unwrap_or(method)
}

fn never_too_short(name: &str, millis: &TokenStream) {
    let least = match name {
        "ttl" => 20,
        "renew" | "max_hold" => 1,
        _ => 0,
    };
    let millis: u64 = millis.to_string().parse().expect("a number of milliseconds");
    assert!(millis >= least, "`{name}` of {millis} ms");
}

/// The methods behind `__rt::options(..)`, wherever that stands.
fn asked(tokens: &TokenStream) -> Vec<(String, TokenStream)> {
    let mut tokens_left = tokens.clone().into_iter();
    let mut seen = 0;
    while let Some(token) = tokens_left.next() {
        seen = match token {
            TokenTree::Ident(ident) if ident == "__rt" => 1,
            TokenTree::Punct(punct) if punct.as_char() == ':' && (1..=2).contains(&seen) => seen + 1,
            TokenTree::Ident(ident) if seen == 3 && ident == "options" => 4,
            TokenTree::Group(_) if seen == 4 => return methods(tokens_left),
            TokenTree::Group(group) => match asked(&group.stream()) {
                none if none.is_empty() => 0,
                some => return some,
            },
            _ => 0,
        }
    }
    Vec::new()
}

fn methods(mut tokens: proc_macro2::token_stream::IntoIter) -> Vec<(String, TokenStream)> {
    let mut found = Vec::new();
    while let (Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(name)), Some(TokenTree::Group(group))) =
        (tokens.next(), tokens.next(), tokens.next())
    {
        if dot.as_char() != '.' {
            break;
        }
        found.push((name.to_string(), group.stream()));
    }
    found
}

/// What stands before each `=` at the head or after a comma, and whether each of that is certainly an option: in
/// `f::<A, ttl = B>()` and between the bars of a closure it need not be.
fn written(options: &TokenStream) -> (Vec<String>, bool) {
    let tokens: Vec<TokenTree> = options.clone().into_iter().collect();
    let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    let certain = !(0..tokens.len()).any(|at| is(at, '<') || is(at, '|'));
    let begins = |at: usize| at == 0 || is(at - 1, ',');
    let name = |(at, token): (usize, &TokenTree)| match token {
        TokenTree::Ident(name) if begins(at) && is(at + 1, '=') => Some(name.to_string().replace("r#", "")),
        _ => None,
    };
    (tokens.iter().enumerate().filter_map(name).collect(), certain)
}
