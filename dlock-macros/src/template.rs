//! `"stock:<order.sku>"` read into literal parts and placeholders.
//!
//! The runtime reads the same template again when it fills it, by the same `grammar`.

use proc_macro2::Span;
use syn::LitStr;
use syn::ext::IdentExt;
use syn::parse::Parser;

use crate::grammar::{self, Flaw};
use crate::mistake::{Mistakes, mistake};

/// A template that has been read. No two texts follow each other in `parts`.
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    pub(crate) parts: Vec<Part>,
}

/// A run of text, brackets undoubled, or a placeholder.
pub(crate) enum Part {
    Text(String),
    Value(Placeholder),
}

/// `<order.sku>`: a parameter and a path into it.
pub(crate) struct Placeholder {
    /// Without the angle brackets, as written.
    pub(crate) path: String,
    /// The parameter's name, without `r#`.
    pub(crate) root: String,
    pub(crate) fields: Vec<Field>,
}

/// One step of the path.
pub(crate) enum Field {
    Named(String),
    Index(u32),
}

impl Template {
    /// Reads the template; what is wrong with it goes to `mistakes`, and what can be read is still returned.
    pub(crate) fn read(literal: &LitStr, mistakes: &mut Mistakes) -> Option<Self> {
        let text = literal.value();
        let parts = mistakes.keep(split(literal, &text))?;
        Some(Self { literal: literal.clone(), parts })
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        })
    }

    /// The text with one letter in the place of each value.
    pub(crate) fn outline(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Value(_) => "x".to_owned(),
        };
        self.parts.iter().map(part).collect()
    }
}

/// Keywords that `r#` does not turn into names.
const NEVER_A_FIELD: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// The parts of the template, or the first thing in it that cannot be read.
fn split(literal: &LitStr, text: &str) -> syn::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut written = String::new();
    for part in grammar::parts(text) {
        match part {
            Ok(grammar::Part::Text(text)) => written.push_str(text),
            Ok(grammar::Part::Placeholder(path)) => {
                if !written.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut written)));
                }
                parts.push(Part::Value(placeholder(literal, path)?));
            }
            Err(Flaw::Unopened) => {
                return Err(mistake(literal, "this `>` closes no placeholder", "write `>>` for a literal `>`"));
            }
            Err(Flaw::Unclosed(after)) => {
                return Err(mistake(
                    literal,
                    format!("the placeholder `<{after}` is not closed"),
                    "close it with `>`, or write `<<` for a literal `<`",
                ));
            }
        }
    }
    if !written.is_empty() {
        parts.push(Part::Text(written));
    }
    Ok(parts)
}

/// `order.sku` or `pair.1`: a name, then fields by name or number.
fn placeholder(literal: &LitStr, path: &str) -> syn::Result<Placeholder> {
    if path.is_empty() {
        return Err(mistake(
            literal,
            "an empty placeholder names no parameter",
            "write `<id>` for the parameter `id`, or `<<>>` for a literal `<>`",
        ));
    }
    let mut steps = path.split('.');
    let root = steps.next().and_then(name);
    let fields: Option<Vec<Field>> = steps.map(field).collect();
    match (root, fields) {
        (Some(root), Some(fields)) => Ok(Placeholder { path: path.to_owned(), root, fields }),
        _ => Err(mistake(
            literal,
            format!("`<{path}>` is no path into the parameters"),
            "a placeholder is a parameter with its fields, such as `<id>`, `<order.sku>` or `<pair.1>`; \
             for anything else give `key` an expression",
        )),
    }
}

/// An identifier, `self`, or a keyword that can be a field as `r#type`; without `r#`.
fn name(text: &str) -> Option<String> {
    let ident = syn::Ident::parse_any.parse_str(text).ok()?;
    // Parsing skips spaces and comments, so what came out must be all that went in.
    (ident == text).then(|| ident.unraw().to_string())
}

fn field(text: &str) -> Option<Field> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok().map(Field::Index)
    } else {
        name(text).filter(|name| !NEVER_A_FIELD.contains(&name.as_str())).map(Field::Named)
    }
}

/// The identifier that `name` stands for where a keyword needs `r#`.
pub(crate) fn ident(name: &str, span: Span) -> syn::Ident {
    match syn::parse_str::<syn::Ident>(name) {
        Ok(_) => syn::Ident::new(name, span),
        Err(_) => syn::Ident::new_raw(name, span),
    }
}
