//! What the options mean: unknown, twice, contradictory, out of range.
//!
//! Reading goes on after a mistake at the next option, so that all of them are told at once.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path};

use crate::function::{Function, names};
use crate::limits::{LONGEST_TTL, SHORTEST_RENEWAL, SHORTEST_TTL, is_in_time, whole_millis};
use crate::mistake::{Mistakes, mistake};
use crate::pairs::{self, Pair, Value};
use crate::parameters::Parameter;
use crate::suggest::{list, nearest};
use crate::template::Template;
use crate::values::{Given, OnLost, Setting, bare, guard, interval, krate, label, on_lost, on_or_off, or_else, time};

/// In the order of the reference page.
const OPTIONS: [&str; 15] = [
    "key",
    "ttl",
    "wait",
    "renew",
    "max_hold",
    "on_lost",
    "or_else",
    "guard",
    "when",
    "label",
    "reentrant",
    "runtime",
    "warn",
    "doc",
    "crate",
];

/// Names from other lock libraries, and what they are called here.
const ALSO_KNOWN_AS: [(&str, &str); 8] = [
    ("name", "key"),
    ("expire", "ttl"),
    ("expires", "ttl"),
    ("expiry", "ttl"),
    ("lease", "ttl"),
    ("timeout", "wait"),
    ("condition", "when"),
    ("fallback", "or_else"),
];

/// What the user asked for. An option that was mistaken is absent here and told elsewhere.
#[derive(Default)]
pub(crate) struct Args {
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

impl Args {
    /// Reads every option it can; what is wrong with the others goes to `mistakes`.
    pub(crate) fn read(tokens: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut args = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let (pairs, broken) = pairs::read(tokens, mistakes);
        // One that was meant and mistyped is told already.
        let mut key_is_meant = broken.iter().any(|name| name == "key");
        for Pair { name, value } in pairs {
            let written = name.unraw().to_string();
            let Some(known) = OPTIONS.into_iter().find(|known| *known == written) else {
                let meant = meant_by(&written);
                key_is_meant |= meant == Some("key");
                mistakes.add(unknown(&name, &written, meant));
                continue;
            };
            if seen.contains(&known) {
                mistakes.add(mistake(&name, format!("`{known}` is given twice"), "keep one of the two"));
                continue;
            }
            seen.push(known);
            let outcome = args.set(known, value, mistakes);
            mistakes.keep(outcome);
        }
        if !seen.contains(&"key") && !key_is_meant {
            let message =
                "a lock needs a key\nhelp: write `key = \"stock:<id>\"`, where `<id>` is a parameter of the function";
            mistakes.add(Error::new(Span::call_site(), message));
        }
        args.check(mistakes);
        args
    }

    fn set(&mut self, name: &str, value: Value, mistakes: &mut Mistakes) -> syn::Result<()> {
        let expr = &value.expr;
        match name {
            "key" => {
                self.key = match bare(expr) {
                    Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Template::read(text, mistakes).map(Key::Template),
                    _ => Some(Key::Expr(value)),
                }
            }
            "ttl" => self.ttl = Some(time(name, value, None)?.at_least(name, SHORTEST_TTL)?),
            "wait" => self.wait = Some(time(name, value, Some(("forever", Setting::Forever)))?),
            "renew" => self.renew = Some(interval(name, value)?.at_least(name, SHORTEST_RENEWAL)?),
            "max_hold" => {
                self.max_hold = Some(
                    time(name, value, Some(("unbounded", Setting::Unbounded)))?
                        .at_least(name, Duration::from_nanos(1))?,
                )
            }
            "on_lost" => self.on_lost = Some(on_lost(expr)?),
            "or_else" => self.or_else = Some(or_else(value.expr)?),
            "guard" => self.guard = Some(guard(expr)?),
            "when" => self.when = Some(value),
            "label" => self.label = Some(label(expr)?),
            "reentrant" => self.reentrant = Some(on_or_off(name, expr)?),
            "runtime" => self.runtime = Some(value.expr),
            "warn" => self.warn = Some(on_or_off(name, expr)?),
            "doc" => self.doc = Some(on_or_off(name, expr)?),
            _ => self.krate = Some(krate(expr)?),
        }
        Ok(())
    }

    /// What each option allows by itself and the others forbid.
    fn check(&self, mistakes: &mut Mistakes) {
        if let (Some(guard), Some(_)) = (&self.guard, &self.when) {
            mistakes.add(mistake(
                guard,
                "`guard` and `when` exclude each other: where `when` is false there is no lock to bind",
                "leave one of them out, or call a second function that has the `guard`",
            ));
        }
        let Some(renew) = &self.renew else { return };
        let ttl = self.ttl.as_ref().map(|ttl| ttl.setting);
        if let Setting::Time(interval) = renew.setting {
            // One that only the program knows is a year at most.
            let ttl = if let Some(Setting::Time(ttl)) = ttl { ttl } else { LONGEST_TTL };
            if !is_in_time(interval, whole_millis(ttl)) {
                mistakes.add(mistake(
                    &renew.written.expr,
                    "`renew` must be shorter than `ttl` less 1% and 2 ms, or the lock ends before its first renewal",
                    "leave `renew` out to renew after a third of the `ttl`",
                ));
            }
        }
        let (Setting::Switch(false), Some(Setting::Time(ttl)), Some(held)) = (renew.setting, ttl, &self.max_hold)
        else {
            return;
        };
        match held.setting {
            Setting::Time(max) if max > whole_millis(ttl) => mistakes.add(never_that_long(held)),
            Setting::Unbounded => mistakes.add(never_that_long(held)),
            _ => {}
        }
    }

    /// What the options say about the function's parameters.
    pub(crate) fn check_against(&self, function: Option<&Function>, mistakes: &mut Mistakes) {
        if let Some(Key::Template(template)) = &self.key {
            template.check(function, mistakes);
        }
        let Some(function) = function else { return };
        match &self.key {
            // There a template belongs.
            Some(Key::Expr(key)) if names(key.expr.to_token_stream(), "from_template") => {}
            Some(Key::Expr(key)) => no_template_inside(key.expr.to_token_stream(), function, mistakes),
            Some(Key::Template(_)) | None => {}
        }
        if let Some(guard) = &self.guard
            && function.named().any(|parameter| guard.unraw() == parameter.name())
        {
            mistakes.add(mistake(
                guard,
                format!("`guard = {guard}` would hide the parameter `{guard}`"),
                "give the guard another name",
            ));
        }
    }
}

/// A string inside of an expression is no template: every call would share the key that holds `<id>` literally.
fn no_template_inside(key: TokenStream, function: &Function, mistakes: &mut Mistakes) {
    for token in key {
        match token {
            TokenTree::Group(group) => no_template_inside(group.stream(), function, mistakes),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                let placed = |name: &String| text.contains(&format!("<{name}>"));
                if let Some(name) = function.named().map(Parameter::name).find(placed) {
                    mistakes.add(mistake(
                        literal,
                        format!("`<{name}>` is a placeholder only where the key is a single string"),
                        format!("write `key = \"..<{name}>..\"`, or `{{{name}}}` in a `format!`"),
                    ));
                }
            }
            _ => {}
        }
    }
}

/// The option that was probably meant.
fn meant_by(written: &str) -> Option<&'static str> {
    let synonym = ALSO_KNOWN_AS.iter().find(|(other, _)| *other == written).map(|(_, ours)| *ours);
    synonym.or_else(|| nearest(written, OPTIONS))
}

fn unknown(name: &Ident, written: &str, meant: Option<&str>) -> Error {
    let help = match meant {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the options are {}", list(OPTIONS)),
    };
    mistake(name, format!("there is no option `{written}`"), help)
}

fn never_that_long(max_hold: &Given) -> Error {
    mistake(
        &max_hold.written.expr,
        "with `renew = false` the lock ends after `ttl`, so it can never be held for `max_hold`",
        "leave out `renew = false`, or `max_hold`",
    )
}
