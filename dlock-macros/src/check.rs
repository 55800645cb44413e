//! What the options allow each by itself and forbid together, or beside the function's parameters.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;

use crate::function::Function;
use crate::limits::{LONGEST_TTL, is_in_time, whole_millis};
use crate::look_alike::{self, LookAlike};
use crate::mistake::{Mistakes, mistake};
use crate::options::{Key, Options};
use crate::parameters::Parameter;
use crate::rules;
use crate::suggest::{list, nearest};
use crate::template::{Placeholder, Template};
use crate::tokens::names;
use crate::values::{Given, Setting};

/// Adds what is wrong with them, as far as the function could be read.
pub(crate) fn options(options: &Options, function: Option<&Function>, mistakes: &mut Mistakes) {
    guard_or_when(options, mistakes);
    times(options, mistakes);
    match (&options.key, function) {
        (Some(Key::Template(key)), function) => template(key, function, mistakes),
        // There a template belongs.
        (Some(Key::Expr(key)), _) if names(key.expr.to_token_stream(), "from_template") => {}
        (Some(Key::Expr(key)), Some(function)) => no_template_inside(key.expr.to_token_stream(), function, mistakes),
        _ => {}
    }
    if let (Some(guard), Some(function)) = (&options.guard, function)
        && function.named().any(|parameter| guard.unraw() == parameter.name())
    {
        mistakes.add(mistake(
            guard,
            format!("`guard = {guard}` would hide the parameter `{guard}`"),
            "give the guard another name",
        ));
    }
}

fn guard_or_when(options: &Options, mistakes: &mut Mistakes) {
    if let (Some(guard), Some(_)) = (&options.guard, &options.when) {
        mistakes.add(mistake(
            guard,
            "`guard` and `when` exclude each other: where `when` is false there is no lock to bind",
            "leave one of them out, or call a second function that has the `guard`",
        ));
    }
}

fn times(options: &Options, mistakes: &mut Mistakes) {
    let Some(renew) = &options.renew else { return };
    let ttl = options.ttl.as_ref().map(|ttl| ttl.setting);
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
    let (Setting::Switch(false), Some(Setting::Time(ttl)), Some(held)) = (renew.setting, ttl, &options.max_hold) else {
        return;
    };
    match held.setting {
        Setting::Time(max) if max > whole_millis(ttl) => mistakes.add(never_that_long(held)),
        Setting::Unbounded => mistakes.add(never_that_long(held)),
        _ => {}
    }
}

fn never_that_long(max_hold: &Given) -> syn::Error {
    mistake(
        &max_hold.written.expr,
        "with `renew = false` the lock ends after `ttl`, so it can never be held for `max_hold`",
        "leave out `renew = false`, or `max_hold`",
    )
}

/// What is wrong with a template, by itself and beside the parameters.
pub(crate) fn template(template: &Template, function: Option<&Function>, mistakes: &mut Mistakes) {
    if let Some(found) = function.and_then(|function| only_looks_like_one(template, function)) {
        // What is wrong with its braces is no matter then.
        mistakes.add(one_lock_for_every_call(template, &found));
        return;
    }
    rules::check(template, mistakes);
    if let Some(function) = function {
        placeholders(template, function, mistakes);
    }
}

/// What looks like a placeholder and begins with a parameter. Beside real ones only `{id}` counts.
fn only_looks_like_one(template: &Template, function: &Function) -> Option<LookAlike> {
    let alone = template.placeholders().next().is_none();
    look_alike::find(&template.literal.value(), |written, path| {
        let root = look_alike::root(path);
        let in_braces = || written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(root);
        function.named().any(|parameter| parameter.name() == root) && (alone || in_braces())
    })
}

fn one_lock_for_every_call(template: &Template, LookAlike { written, root, cure, is_a_tag }: &LookAlike) -> syn::Error {
    let text = template.literal.value();
    let tagged = if *is_a_tag { ", or `{<..>}` for the value as the hash tag" } else { "" };
    mistake(
        &template.literal,
        format!("`{written}` is literal text, although `{root}` is a parameter: every call would share one key"),
        format!("write `{cure:?}`{tagged}; if it is meant as it stands, `key = LockKey::from({text:?})`"),
    )
}

/// Every placeholder begins with a parameter.
fn placeholders(template: &Template, function: &Function, mistakes: &mut Mistakes) {
    let known: Vec<String> = function.named().map(Parameter::name).collect();
    let known = || known.iter().map(String::as_str);
    let mut told: Vec<&str> = Vec::new();
    for Placeholder { root, path, .. } in template.placeholders() {
        if known().any(|name| name == root) || told.contains(&root.as_str()) {
            continue;
        }
        told.push(root);
        let there = match known().count() {
            0 => "this function has no parameters".to_owned(),
            1 => format!("the only parameter is {}", list(known())),
            _ => format!("the parameters are {}", list(known())),
        };
        let help = match nearest(root, known()) {
            Some(name) => format!("did you mean `<{}>`? {there}", path.replacen(root, name, 1)),
            None => there,
        };
        mistakes.add(mistake(&template.literal, format!("`<{path}>` names no parameter"), help));
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
