//! What compiles and is still a mistake under a lock: work that outlives it, sleep that starves it, a transaction around it.
//!
//! The body is looked through as tokens and never parsed. Only paths that can mean nothing else are told: a method
//! `.spawn(..)` or a function of the user's own of that name is not ours to judge.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::{Attribute, FnArg, Signature};

use crate::tokens::is_punct;
use crate::transaction;

/// One place that the compiler is to warn of.
pub(crate) struct Hazard {
    pub(crate) kind: Kind,
    /// The name of the function or the type.
    pub(crate) place: Span,
    /// `#[cfg]`s of the parameter, under which alone it exists.
    pub(crate) cfg: Vec<Attribute>,
}

/// The constant of `__rt::warn` that has the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Thread,
    Sleep,
    Transaction,
}

impl Kind {
    pub(crate) fn constant(self) -> &'static str {
        match self {
            Self::Task => "TASK_UNDER_A_LOCK",
            Self::Thread => "THREAD_UNDER_A_LOCK",
            Self::Sleep => "SLEEP_UNDER_A_LOCK",
            Self::Transaction => "TRANSACTION_AROUND_A_LOCK",
        }
    }
}

/// What is written directly in the body, and the parameters.
pub(crate) fn find(signature: &Signature, body: TokenStream) -> Vec<Hazard> {
    let mut found = Vec::new();
    transactions(signature, &mut found);
    calls(body, &mut found);
    found
}

/// The functions that are told, by their paths without a leading `::`.
const CALLS: [(&str, Kind); 11] = [
    ("tokio::spawn", Kind::Task),
    ("tokio::task::spawn", Kind::Task),
    ("tokio::task::spawn_local", Kind::Task),
    ("tokio::task::spawn_blocking", Kind::Thread),
    ("task::spawn_blocking", Kind::Thread),
    ("tokio::spawn_blocking", Kind::Thread),
    ("std::thread::spawn", Kind::Thread),
    ("thread::spawn", Kind::Thread),
    ("std::thread::sleep", Kind::Sleep),
    ("thread::sleep", Kind::Sleep),
    ("std::thread::sleep_until", Kind::Sleep),
];

fn calls(tokens: TokenStream, found: &mut Vec<Hazard>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => calls(group.stream(), found),
            TokenTree::Ident(last) => {
                let name = last.to_string();
                if CALLS.iter().all(|(path, _)| path.rsplit("::").next() != Some(&name)) || !is_used(&tokens[at + 1..])
                {
                    continue;
                }
                if name == "spawn_blocking" && is_awaited(&tokens[at + 1..]) {
                    continue;
                }
                let path = path_to(&tokens[..at], name);
                if let Some((_, kind)) = CALLS.iter().find(|(known, _)| *known == path) {
                    found.push(Hazard { kind: *kind, place: last.span(), cfg: Vec::new() });
                }
            }
            _ => {}
        }
    }
}

/// The path that ends in `path`, without a leading `::`.
fn path_to(mut before: &[TokenTree], mut path: String) -> String {
    while let [rest @ .., TokenTree::Ident(segment), colon, other] = before
        && is_punct(colon, ':')
        && is_punct(other, ':')
        // As in `return ::tokio::spawn(..)`.
        && !["return", "break", "in", "if", "else", "match", "while"].iter().any(|keyword| segment == keyword)
    {
        path = format!("{segment}::{path}");
        before = rest;
    }
    path
}

/// Whether a path that ends here is called or handed on: `spawn(..)`, `spawn::<T>(..)`, `.map(spawn)`. A `use` is not.
fn is_used(after: &[TokenTree]) -> bool {
    match after {
        [] => true,
        [TokenTree::Group(arguments), ..] => arguments.delimiter() == Delimiter::Parenthesis,
        [colon, other, generics, ..] if is_punct(colon, ':') && is_punct(other, ':') => is_punct(generics, '<'),
        [next, ..] => is_punct(next, ','),
    }
}

/// Whether what a call gives is awaited where it stands, so that the work ends before the lock does: `(..).await`. Of
/// `spawn_blocking` there is nothing better to write. What `tokio::spawn` runs could stand in the body itself, which ends with
/// the lock.
fn is_awaited(after: &[TokenTree]) -> bool {
    let after = match after {
        [colon, other, ..] if is_punct(colon, ':') && is_punct(other, ':') => &after[2 + generics(&after[2..])..],
        _ => after,
    };
    match after {
        [TokenTree::Group(arguments), dot, TokenTree::Ident(word), ..] => {
            arguments.delimiter() == Delimiter::Parenthesis && is_punct(dot, '.') && word == "await"
        }
        _ => false,
    }
}

/// How many tokens `<..>` takes.
fn generics(tokens: &[TokenTree]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        let arrow = at > 0 && is_punct(&tokens[at - 1], '-');
        depth += i32::from(is_punct(token, '<')) - i32::from(is_punct(token, '>') && !arrow);
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

fn transactions(signature: &Signature, found: &mut Vec<Hazard>) {
    for input in &signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        let Some(name) = transaction::find(&parameter.ty) else { continue };
        let cfg = parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        found.push(Hazard { kind: Kind::Transaction, place: name.span(), cfg });
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    fn kinds(item: &str) -> Vec<Kind> {
        let item: syn::ItemFn = syn::parse_str(item).expect("a function");
        find(&item.sig, item.block.to_token_stream()).into_iter().map(|hazard| hazard.kind).collect()
    }

    fn in_body(body: &str) -> Vec<Kind> {
        kinds(&format!("async fn f() {{ {body} }}"))
    }

    #[test]
    fn work_that_outlives_or_starves_the_lock_is_found_wherever_it_stands() {
        for (body, kind) in [
            ("tokio::spawn(work());", Kind::Task),
            ("::tokio::spawn(work());", Kind::Task),
            ("return ::tokio::spawn(work());", Kind::Task),
            ("let task = tokio::task::spawn(work());", Kind::Task),
            ("if late { for _ in 0..3 { tokio::task::spawn_local(work()); } }", Kind::Task),
            ("join_all(jobs.map(tokio::spawn)).await", Kind::Task),
            ("tokio::spawn::<Work>(work())", Kind::Task),
            ("let task = tokio::task::spawn_blocking(|| 1); task.await?", Kind::Thread),
            ("timeout(TIME, task::spawn_blocking(|| 1)).await?", Kind::Thread),
            ("tokio::task::spawn_blocking(|| work().await).is_finished()", Kind::Thread),
            ("jobs.map(task::spawn_blocking).collect().await", Kind::Thread),
            ("tokio::spawn(work()).await?", Kind::Task),
            ("f(tokio::task::spawn_blocking, (work).await)", Kind::Thread),
            ("std::thread::spawn(|| 1);", Kind::Thread),
            ("tokio::join!(async { thread::spawn(|| 1) });", Kind::Thread),
            ("std::thread::sleep(TIME);", Kind::Sleep),
            ("::std::thread::sleep(TIME)", Kind::Sleep),
            ("thread::sleep(TIME);", Kind::Sleep),
        ] {
            assert_eq!(in_body(body), [kind], "{body}");
        }
        assert_eq!(in_body("tokio::spawn(async { std::thread::sleep(t) }); tokio::spawn(b);").len(), 3);
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        for body in [
            "tokio::task::spawn_blocking(|| 1).await?",
            "task::spawn_blocking(|| 1).await.unwrap()",
            "let done = tokio::task::spawn_blocking(move || { work(1, 2) }) . await;",
            "::tokio::task::spawn_blocking::<fn() -> (u8,), (u8,)>(f).await",
            "pool.spawn(work());",
            "spawn(work());",
            "sleep(TIME).await;",
            "tokio::time::sleep(TIME).await;",
            "my::tokio::spawn(work());",
            "my::thread::sleep(1);",
            "thread::Builder::new().spawn(work);",
            "task::spawn(work());",
            "set.spawn_blocking(work);",
            "std::thread::scope(|scope| scope.spawn(work));",
            "use std::thread::sleep;",
            "use tokio::{spawn, task};",
            "// tokio::spawn(work())\n 1",
            "\"tokio::spawn(work())\"",
            "tokio::spawn_all(work())",
            "order.tokio.spawn(1)",
            "self::spawn(tokio, 1)",
        ] {
            assert_eq!(in_body(body), [], "{body}");
        }
    }
}
