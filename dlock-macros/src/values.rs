//! What the value of one option says, by itself.

use std::time::Duration;

use quote::ToTokens;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path};

use crate::duration::{self, Longest};
use crate::limits::LONGEST_TTL;
use crate::mistake::mistake;
use crate::pairs::Value;
use crate::suggest::nearest;

/// `on_lost = ..`
#[derive(Clone, Copy)]
pub(crate) enum OnLost {
    Cancel,
    Finish,
}

/// The value of an option about time, and how it was written.
pub(crate) struct Given {
    pub(crate) written: Value,
    pub(crate) setting: Setting,
}

/// What such a value can say.
#[derive(Clone, Copy)]
pub(crate) enum Setting {
    Time(Duration),
    /// `"forever"`
    Forever,
    /// `"unbounded"`
    Unbounded,
    /// `true` or `false`.
    Switch(bool),
    /// Known only when the program runs.
    Expr,
}

/// The times that an option allows.
pub(crate) struct Times {
    /// The one word that says there is no bound.
    pub(crate) word: Option<(&'static str, Setting)>,
    pub(crate) least: Option<AtLeast>,
    pub(crate) most: Longest,
}

/// The shortest time, and what helps who writes less.
pub(crate) struct AtLeast {
    pub(crate) time: Duration,
    pub(crate) if_zero: &'static str,
    pub(crate) if_less: &'static str,
}

/// What no lock's TTL is longer than.
pub(crate) const A_YEAR: Longest = Longest { time: LONGEST_TTL, said: "365 days" };
/// Beyond this a time is a slip of the unit.
pub(crate) const A_CENTURY: Longest =
    Longest { time: Duration::from_secs(100 * 365 * 24 * 60 * 60), said: "a hundred years" };

/// A time, or the word.
pub(crate) fn time(name: &str, written: Value, times: &Times) -> syn::Result<Given> {
    let value = &written.expr;
    if let Some((word, endless)) = times.word {
        let quoted = |help: String| mistake(value, format!("`{word}` stands in quotes"), help);
        match bare(value) {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                let text = text.value();
                if text == word {
                    return Ok(Given { written, setting: endless });
                }
                if nearest(&text, [word]).is_some() {
                    let rule = format!("`{name}` does not know the word `{text}`");
                    return Err(mistake(value, rule, format!("did you mean `\"{word}\"`?")));
                }
            }
            Expr::Path(path) if path.path.is_ident(word) => {
                return Err(quoted(format!("write `{name} = \"{word}\"`")));
            }
            _ => {}
        }
    }
    let Some(time) = duration::literal(name, value, &times.most)? else {
        return Ok(Given { written, setting: Setting::Expr });
    };
    match &times.least {
        Some(least) if time.is_zero() => Err(mistake(value, format!("`{name}` cannot be zero"), least.if_zero)),
        Some(least) if time < least.time => {
            let rule = format!("`{name}` cannot be shorter than {} ms", least.time.as_millis());
            Err(mistake(value, rule, least.if_less))
        }
        _ => Ok(Given { written, setting: Setting::Time(time) }),
    }
}

/// `renew`: on, off, or a time.
pub(crate) fn interval(name: &str, written: Value, times: &Times) -> syn::Result<Given> {
    match switch(&written.expr) {
        Some(on) => Ok(Given { written, setting: Setting::Switch(on) }),
        None => match quoted_switch(name, &written.expr) {
            Some(error) => Err(error),
            None => time(name, written, times),
        },
    }
}

/// An option that is `true` where it is not given.
pub(crate) fn on_or_off(name: &str, value: &Expr) -> syn::Result<bool> {
    switch(value).ok_or_else(|| {
        quoted_switch(name, value)
            .unwrap_or_else(|| mistake(value, format!("`{name}` is `true` or `false`"), "leave it out for `true`"))
    })
}

/// `"false"`
fn quoted_switch(name: &str, value: &Expr) -> Option<syn::Error> {
    let Expr::Lit(literal) = bare(value) else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    let word = text.value();
    ["true", "false"]
        .contains(&word.as_str())
        .then(|| mistake(value, format!("`{word}` stands without quotes"), format!("write `{name} = {word}`")))
}

fn switch(value: &Expr) -> Option<bool> {
    match bare(value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Bool(bool) => Some(bool.value),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn on_lost(value: &Expr) -> syn::Result<OnLost> {
    const BOTH: &str = "`cancel` drops the body at its next await, `finish` lets it end";
    let word = match bare(value) {
        Expr::Path(path) => path.path.get_ident().map(|ident| ident.to_string()),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if ["cancel", "finish"].contains(&text.value().as_str()) => {
                let help = format!("write `on_lost = {}`", text.value());
                return Err(mistake(value, "`on_lost` is a bare word", help));
            }
            _ => None,
        },
        _ => None,
    };
    match word.as_deref() {
        Some("cancel") => Ok(OnLost::Cancel),
        Some("finish") => Ok(OnLost::Finish),
        word => {
            let help = match word.and_then(|word| nearest(word, ["cancel", "finish"])) {
                Some(known) => format!("did you mean `{known}`?"),
                None => BOTH.to_owned(),
            };
            Err(mistake(value, "`on_lost` is `cancel` or `finish`", help))
        }
    }
}

/// `or_else = ..`. The compiler tells of a value that cannot be called three times.
pub(crate) fn or_else(value: Expr) -> syn::Result<Expr> {
    match bare(&value) {
        Expr::Lit(_) => Err(mistake(
            &value,
            "`or_else` is called with the `LockError`, and gives what the function returns",
            "write a closure, such as `or_else = |error| ..`, or the path of a function",
        )),
        _ => Ok(value),
    }
}

pub(crate) fn guard(value: &Expr) -> syn::Result<Ident> {
    match bare(value) {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident().filter(|name| *name != "self"),
        _ => None,
    }
    .cloned()
    .ok_or_else(|| no_guard(value))
}

/// The value of `guard` is something else.
pub(crate) fn no_guard(value: impl ToTokens) -> syn::Error {
    mistake(value, "`guard` is the name under which the body finds the guard", "write `guard = lock`")
}

pub(crate) fn label(value: &Expr) -> syn::Result<LitStr> {
    match bare(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().trim().is_empty() => Err(mistake(
            value,
            "`label` cannot be empty: it is what metrics and spans call this lock",
            "leave it out to call the lock by its `key` as it is written",
        )),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
        _ => Err(mistake(
            value,
            "`label` is a string literal: what metrics and spans call this lock, the same for every call",
            "write `label = \"stock\"`",
        )),
    }
}

pub(crate) fn krate(value: &Expr) -> syn::Result<Path> {
    if let Expr::Path(path) = bare(value)
        && path.qself.is_none()
    {
        let first = path.path.segments.first().map(|segment| segment.ident.to_string());
        // `$crate` in the expansion of a `macro_rules!` arrives as one identifier.
        let anchored = matches!(first.as_deref(), Some("crate" | "$crate"));
        if path.path.leading_colon.is_some() || anchored {
            return Ok(path.path.clone());
        }
    }
    Err(mistake(
        value,
        "`crate` is an absolute path to `dlock_runtime`",
        "begin it with `::` or `crate::`, such as `crate = ::my_crate::dlock_runtime`",
    ))
}

/// Without the parentheses and invisible groups (from `macro_rules!`) around it.
pub(crate) fn bare(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => bare(&group.expr),
        Expr::Paren(paren) => bare(&paren.expr),
        _ => value,
    }
}
