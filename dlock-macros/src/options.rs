//! The options: a row for each. From the row follow how its value is read, what is near to its name, and its line in the
//! reference (`dlock-runtime/src/distributed_lock.md`, which a test holds against this table).
//!
//! Reading goes on after a mistake at the next option, so that all of them are told at once. What they say together is looked at
//! in `check`.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path};

use crate::limits::{SHORTEST_RENEWAL, SHORTEST_TTL};
use crate::mistake::{Mistakes, mistake};
use crate::pairs::{self, Pair, Value};
use crate::suggest::{list, nearest};
use crate::template::Template;
use crate::values::{
    A_CENTURY, A_YEAR, AtLeast, Given, OnLost, Setting, Times, bare, guard, interval, krate, label, no_guard, on_lost,
    on_or_off, or_else, time,
};

/// What the user asked for. An option that was mistaken is absent here and told elsewhere.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) key: Option<Key>,
    pub(crate) ttl: Option<Given>,
    pub(crate) wait: Option<Given>,
    pub(crate) renew: Option<Given>,
    pub(crate) max_hold: Option<Given>,
    pub(crate) on_lost: Option<OnLost>,
    pub(crate) or_else: Option<Expr>,
    pub(crate) guard: Option<Ident>,
    pub(crate) when: Option<Value>,
    pub(crate) label: Option<LitStr>,
    pub(crate) reentrant: Option<bool>,
    pub(crate) runtime: Option<Expr>,
    pub(crate) warn: Option<bool>,
    pub(crate) doc: Option<bool>,
    pub(crate) krate: Option<Path>,
}

/// `key = "stock:<id>"` or `key = expression`.
pub(crate) enum Key {
    Template(Template),
    Expr(Value),
}

/// An option.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What other lock libraries call it.
    also: &'static [&'static str],
    /// What can be said, as the reference has it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference is held against it"))]
    pub(crate) forms: &'static str,
    /// What holds if nothing is said, as the reference has it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference is held against it"))]
    pub(crate) default: &'static str,
    read: fn(&mut Options, &'static str, Value, &mut Mistakes) -> syn::Result<()>,
}

const NO_OTHER_NAME: &[&str] = &[];

/// In the order of the reference.
pub(crate) const ROWS: [Row; 15] = [
    Row {
        name: "key",
        also: &["name"],
        forms: "`\"stock:<id>\"`, or an expression that gives a [`LockKey`] or anything that is `Display`",
        default: "required",
        read: |options, _, value, mistakes| {
            options.key = match bare(&value.expr) {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Template::read(text, mistakes).map(Key::Template),
                _ => Some(Key::Expr(value)),
            };
            Ok(())
        },
    },
    Row {
        name: "ttl",
        also: &["expire", "expires", "expiry", "lease"],
        forms: "a time",
        default: "of the [builder](Builder::ttl), 10 s",
        read: |options, name, value, _| {
            let least = AtLeast {
                time: SHORTEST_TTL,
                if_zero: "it is how long the lock outlives a crash: leave it out for 10 seconds",
                if_less: "a bare number counts seconds; a lock must outlast a few round trips",
            };
            options.ttl = Some(time(name, value, &Times { word: None, least: Some(least), most: A_YEAR })?);
            Ok(())
        },
    },
    Row {
        name: "wait",
        also: &["timeout"],
        forms: "a time, `0`, `\"forever\"`",
        default: "of the [builder](Builder::wait), 3 s",
        read: |options, name, value, _| {
            let word = Some(("forever", Setting::Forever));
            options.wait = Some(time(name, value, &Times { word, least: None, most: A_CENTURY })?);
            Ok(())
        },
    },
    Row {
        name: "renew",
        also: NO_OTHER_NAME,
        forms: "`true`, `false`, a time",
        default: "`true`: after a third of the `ttl`",
        read: |options, name, value, _| {
            let least = AtLeast {
                time: SHORTEST_RENEWAL,
                if_zero: "write `renew = false` to switch renewal off",
                if_less: "a bare number counts seconds",
            };
            options.renew = Some(interval(name, value, &Times { word: None, least: Some(least), most: A_YEAR })?);
            Ok(())
        },
    },
    Row {
        name: "max_hold",
        also: NO_OTHER_NAME,
        forms: "a time, `\"unbounded\"`",
        default: "of the [builder](Builder::max_hold), unbounded",
        read: |options, name, value, _| {
            let word = Some(("unbounded", Setting::Unbounded));
            let least = AtLeast {
                time: std::time::Duration::from_nanos(1),
                if_zero: "write `max_hold = \"unbounded\"` to allow any time",
                if_less: "a bare number counts seconds",
            };
            options.max_hold = Some(time(name, value, &Times { word, least: Some(least), most: A_CENTURY })?);
            Ok(())
        },
    },
    Row {
        name: "on_lost",
        also: NO_OTHER_NAME,
        forms: "`cancel`, `finish`",
        default: "`cancel`",
        read: |options, _, value, _| {
            options.on_lost = Some(on_lost(&value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "or_else",
        also: &["fallback"],
        forms: "a closure or path, `FnOnce(LockError) -> ReturnType`",
        default: "the error goes into the function's `Result`",
        read: |options, _, value, _| {
            options.or_else = Some(or_else(value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "guard",
        also: NO_OTHER_NAME,
        forms: "an identifier",
        default: "",
        read: |options, _, value, _| {
            options.guard = Some(guard(&value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "when",
        also: &["condition"],
        forms: "a `bool` expression",
        default: "always",
        read: |options, _, value, _| {
            options.when = Some(value);
            Ok(())
        },
    },
    Row {
        name: "label",
        also: NO_OTHER_NAME,
        forms: "a string literal",
        default: "the template of the `key`, or the text of its expression",
        read: |options, _, value, _| {
            options.label = Some(label(&value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "reentrant",
        also: NO_OTHER_NAME,
        forms: "`true`, `false`",
        default: "`true`",
        read: |options, name, value, _| {
            options.reentrant = Some(on_or_off(name, &value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "runtime",
        also: NO_OTHER_NAME,
        forms: "an expression that gives a `&Runtime`",
        default: "the installed one",
        read: |options, _, value, _| {
            options.runtime = Some(value.expr);
            Ok(())
        },
    },
    Row {
        name: "warn",
        also: NO_OTHER_NAME,
        forms: "`true`, `false`",
        default: "`true`",
        read: |options, name, value, _| {
            options.warn = Some(on_or_off(name, &value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "doc",
        also: NO_OTHER_NAME,
        forms: "`true`, `false`",
        default: "`true`",
        read: |options, name, value, _| {
            options.doc = Some(on_or_off(name, &value.expr)?);
            Ok(())
        },
    },
    Row {
        name: "crate",
        also: NO_OTHER_NAME,
        forms: "an absolute path",
        default: "`::dlock_runtime`",
        read: |options, _, value, _| {
            options.krate = Some(krate(&value.expr)?);
            Ok(())
        },
    },
];

impl Options {
    /// Reads every option it can; what is wrong with the others goes to `mistakes`.
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let (pairs, broken) = pairs::read(tokens, mistakes);
        // One that was meant and mistyped is told already.
        let mut key_is_meant = broken.iter().any(|name| name == "key");
        for Pair { name, value } in pairs {
            let written = name.unraw().to_string();
            let Some(row) = ROWS.iter().find(|row| row.name == written) else {
                let meant = meant_by(&written);
                key_is_meant |= meant == Some("key");
                mistakes.add(unknown(&name, &written, meant));
                continue;
            };
            if seen.contains(&row.name) {
                mistakes.add(mistake(&name, format!("`{}` is given twice", row.name), "keep one of the two"));
                continue;
            }
            seen.push(row.name);
            let outcome = match value {
                Ok(value) => (row.read)(&mut options, row.name, value, mistakes),
                // `mut lock` is no expression.
                Err(unreadable) if row.name == "guard" => Err(no_guard(unreadable.tokens)),
                Err(unreadable) => Err(unreadable.error),
            };
            mistakes.keep(outcome);
        }
        if !seen.contains(&"key") && !key_is_meant {
            let message =
                "a lock needs a key\nhelp: write `key = \"stock:<id>\"`, where `<id>` is a parameter of the function";
            mistakes.add(Error::new(Span::call_site(), message));
        }
        options
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

/// The option that was probably meant.
fn meant_by(written: &str) -> Option<&'static str> {
    let synonym = ROWS.iter().find(|row| row.also.contains(&written)).map(|row| row.name);
    synonym.or_else(|| nearest(written, names()))
}

fn unknown(name: &Ident, written: &str, meant: Option<&str>) -> Error {
    let help = match meant {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the options are {}", list(names())),
    };
    mistake(name, format!("there is no option `{written}`"), help)
}
