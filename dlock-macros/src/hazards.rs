//! What compiles and is still a mistake under a lock: work that outlives it, sleep that starves it, a transaction around it.
//!
//! The body is looked through as tokens and never parsed. Only paths that can mean nothing else are told: a method
//! `.spawn(..)` or a function of the user's own of that name is not ours to judge.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use syn::{Attribute, FnArg, GenericArgument, PathArguments, Signature, Type};

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

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn transactions(signature: &Signature, found: &mut Vec<Hazard>) {
    for input in &signature.inputs {
        let FnArg::Typed(parameter) = input else { continue };
        let Some(name) = transaction(&parameter.ty) else { continue };
        let cfg = parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        found.push(Hazard { kind: Kind::Transaction, place: name.span(), cfg });
    }
}

/// Crates whose `Transaction` is one of a database.
const DATABASES: [&str; 8] =
    ["sqlx", "tokio_postgres", "deadpool_postgres", "postgres", "rusqlite", "tokio_rusqlite", "mysql_async", "sea_orm"];

/// Names that mean nothing else.
const TRANSACTIONS: [&str; 6] = [
    "PgTransaction",
    "MySqlTransaction",
    "SqliteTransaction",
    "AnyTransaction",
    "MssqlTransaction",
    "DatabaseTransaction",
];

/// What the type parameter of sqlx's `Transaction<'_, DB>` is.
const BACKENDS: [&str; 6] = ["Postgres", "MySql", "Sqlite", "Any", "Mssql", "DB"];

/// Behind these a transaction is still the caller's.
const WRAPPERS: [&str; 5] = ["Option", "Box", "Arc", "Mutex", "Pin"];

/// The name of the type if it is a database transaction, as far as that can be read off it. Alone, `Transaction` is also
/// what a bank does: it counts only where it borrows a connection, as those of all drivers do, or is called by its crate.
fn transaction(ty: &Type) -> Option<&Ident> {
    let path = match ty {
        Type::Group(group) => return transaction(&group.elem),
        Type::Paren(paren) => return transaction(&paren.elem),
        Type::Reference(reference) => return transaction(&reference.elem),
        Type::Path(path) => &path.path,
        _ => return None,
    };
    let last = path.segments.last()?;
    let arguments: Vec<&GenericArgument> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().collect(),
        _ => Vec::new(),
    };
    let types = || {
        arguments.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
    };
    let borrows = arguments.iter().any(|argument| matches!(argument, GenericArgument::Lifetime(_)));
    let of_a_backend = || types().any(|ty| last_name(ty).is_some_and(|name| BACKENDS.contains(&name.as_str())));
    let of_a_database = path.segments.len() > 1
        && path.segments.first().is_some_and(|first| DATABASES.iter().any(|database| first.ident == database));
    let is_one = match last.ident.to_string().as_str() {
        "Transaction" => borrows || of_a_database || of_a_backend(),
        "Tx" => of_a_backend(),
        wrapper if WRAPPERS.contains(&wrapper) => return types().find_map(transaction),
        name => TRANSACTIONS.contains(&name),
    };
    is_one.then_some(&last.ident)
}

fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
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

    fn of_type(ty: &str) -> Vec<Kind> {
        kinds(&format!("async fn f(tx: {ty}) {{}}"))
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

    #[test]
    fn a_transaction_of_the_caller_is_found_and_the_business_of_a_bank_is_not() {
        for ty in [
            "&mut Transaction<'_, Postgres>",
            "Transaction<'a, Sqlite>",
            "&mut sqlx::Transaction<'_, DB>",
            "sqlx::Transaction<Postgres>",
            "&mut Transaction<Postgres>",
            "&Transaction<'_>",
            "&tokio_postgres::Transaction",
            "&mut deadpool_postgres::Transaction<'_>",
            "PgTransaction<'_>",
            "&DatabaseTransaction",
            "&sea_orm::DatabaseTransaction",
            "Option<&mut sqlx::PgTransaction<'_>>",
            "Arc<Mutex<DatabaseTransaction>>",
            "Tx<Postgres>",
        ] {
            assert_eq!(of_type(ty), [Kind::Transaction], "{ty}");
        }
        for ty in [
            "Transaction",
            "&Transaction",
            "&bank::Transaction",
            "Transaction<Money>",
            "BankTransaction",
            "&[Transaction]",
            "Tx",
            "mpsc::Tx<Order>",
            "Vec<BankTransaction>",
            "TransactionId",
            "impl FnOnce(&mut Transaction<'_, Postgres>)",
            "&mut PgConnection",
            "sqlx::PgPool",
        ] {
            assert_eq!(of_type(ty), [], "{ty}");
        }
    }
}
