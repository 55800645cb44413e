//! The text between the brackets of `#[distributed_lock(..)]`. A digit at its head chooses the function below it.
//!
//! What the compiler can read as tokens is either refused, each message with its cure and the item beside them, or expanded
//! into a function; and then the lock is asked for what the options say, for no less and no more.

use proc_macro2::{TokenStream, TokenTree};

use super::output::{Group, arguments_of, lists, must_be_a_locked_function, must_refuse_well};
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

/// The options that become a method.
const TOLD: [&str; 9] = ["guard", "label", "ttl", "wait", "renew", "max_hold", "on_lost", "reentrant", "runtime"];

thread_local! {
    static PARSED: [TokenStream; 4] = ITEMS.map(|item| item.parse().expect("tokens"));
}

pub(crate) fn check(attribute: &Attribute, text: &str) -> Verdict {
    let (item, text) = match text.as_bytes().first() {
        Some(digit @ b'0'..=b'3') => (usize::from(digit - b'0'), &text[1..]),
        _ => (0, text),
    };
    let Ok(options) = text.parse::<TokenStream>() else { return Verdict::Unread };
    let item = PARSED.with(|items| items[item].clone());
    let output = (attribute.expand)(options.clone(), item.clone());
    let lists = lists(&output);
    if arguments_of(&lists, "__rt::acquire").is_empty() {
        must_refuse_well(&output, &item);
        return Verdict::Refused;
    }
    // Syntax of nightly compilers: syn reads it or not, depending on where it stands.
    if !["dyn *", "become"].iter().any(|unstable| options.to_string().contains(unstable)) {
        must_be_a_locked_function(&output, &lists);
    }
    asks_for_what_was_said(&options, &lists, &output);
    Verdict::Accepted
}

/// `__rt::options("name").ttl(..)..` has a method for each option that was written, and none besides.
fn asks_for_what_was_said(options: &TokenStream, lists: &[Vec<Group>], output: &TokenStream) {
    let asked: Vec<_> = lists.iter().flat_map(|list| methods(list)).collect();
    let (written, certain) = written(options);
    for (method, value) in &asked {
        let name = option_of(method);
        assert!(written.iter().any(|written| written == name), "nobody said `{name}`: {output}");
        let least = if name == "ttl" { 20 } else { u64::from(["renew", "max_hold"].contains(&name)) };
        let is_long = || value.to_string().parse::<u64>().is_ok_and(|millis| millis >= least);
        assert!(!method.ends_with("_ms") || is_long(), "`{name}` of {value} ms");
    }
    for name in written.iter().filter(|name| certain && TOLD.contains(&name.as_str())) {
        assert!(asked.iter().any(|(method, _)| option_of(method) == name), "`{name}` is lost: {output}");
    }
}

/// The methods behind `__rt::options(..)`, if that is among these, and what they are given.
fn methods(list: &[Group]) -> impl Iterator<Item = (&str, &TokenStream)> {
    let behind = list.iter().skip_while(|group| !group.before.ends_with("__rt::options")).skip(1);
    behind.map_while(|group| Some((group.before.strip_prefix('.')?, &group.inside)))
}

/// `ttl` of `ttl_ms`, the form for a time that the attribute worked out. Whoever asks for a guard may look at its fence.
fn option_of(method: &str) -> &str {
    if method == "fenced" { "guard" } else { method.strip_suffix("_ms").unwrap_or(method) }
}

/// What stands before each `=` at the head or after a comma, and whether each of that is certainly an option: in
/// `f::<A, ttl = B>()` and between the bars of a closure it need not be.
fn written(options: &TokenStream) -> (Vec<String>, bool) {
    let tokens = options.clone().into_iter().collect::<Vec<_>>();
    let is = |at: usize, sign: char| matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == sign);
    let certain = !(0..tokens.len()).any(|at| is(at, '<') || is(at, '|'));
    let equals = (1..tokens.len()).filter(|&at| is(at, '=') && (at == 1 || is(at - 2, ',')));
    let names = equals.filter(|at| matches!(tokens[at - 1], TokenTree::Ident(_)));
    (names.map(|at| tokens[at - 1].to_string().replace("r#", "")).collect(), certain)
}
