//! `"stock:<order.sku>"` read into literal parts and placeholders, and the rules that make a template safe.
//!
//! **Invariant:** an accepted template is injective: two different lists of values never give one key. Values are escaped
//! except for the characters they keep ([`values_keep`]), so it is enough that between any two placeholders stands a
//! character that values never hold. (`%` is not one: escapes begin with it.)

use proc_macro2::Span;
use syn::LitStr;
use syn::ext::IdentExt;
use syn::parse::Parser;

use crate::function::Function;
use crate::mistake::{Mistakes, mistake};
use crate::suggest::{list, nearest};

/// Redis allows more, the runtime does not: a longer key is a mistake.
const LONGEST_KEY: usize = 512;

/// A template that has been read; `parts` alternate freely between text and placeholders.
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    parts: Vec<Part>,
}

enum Part {
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
        let template = Self { literal: literal.clone(), parts };
        template.check_size(mistakes);
        template.check_hash_tag(mistakes);
        template.check_separators(mistakes);
        Some(template)
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        })
    }

    /// Every placeholder begins with a parameter, and no parameter's name stands in braces.
    pub(crate) fn check_against(&self, function: &Function, mistakes: &mut Mistakes) {
        let known: Vec<String> = function.parameters.iter().map(|p| p.name()).collect();
        let known = || known.iter().map(String::as_str);
        let mut told: Vec<&str> = Vec::new();
        for Placeholder { root, path, .. } in self.placeholders() {
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
            mistakes.add(mistake(&self.literal, format!("`<{path}>` names no parameter"), help));
        }
        for part in &self.parts {
            let Part::Text(text) = part else { continue };
            let Some((_, tag)) = text.split_once('{') else { continue };
            let Some((tag, _)) = tag.split_once('}') else { continue };
            if known().any(|name| name == tag) {
                mistakes.add(mistake(
                    &self.literal,
                    format!(
                        "`{{{tag}}}` is literal text, although `{tag}` is a parameter: every call would share one key"
                    ),
                    format!("write `<{tag}>` for its value, `{{<{tag}>}}` for its value as the hash tag"),
                ));
            }
        }
    }

    fn check_size(&self, mistakes: &mut Mistakes) {
        let text: usize = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.len(),
                Part::Value(_) => 0,
            })
            .sum();
        if self.parts.is_empty() {
            mistakes.add(mistake(
                &self.literal,
                "a key cannot be empty",
                "name what is locked, such as `\"stock:<id>\"`",
            ));
        } else if text > LONGEST_KEY {
            mistakes.add(mistake(
                &self.literal,
                format!("a key has at most {LONGEST_KEY} bytes, and the text of this one alone has {text}"),
                "use a shorter name",
            ));
        }
    }

    /// Redis Cluster hashes what stands between the first `{` and the next `}`; a stray brace would move keys between
    /// nodes depending on the values.
    fn check_hash_tag(&self, mistakes: &mut Mistakes) {
        enum Tag {
            Before,
            Inside { empty: bool },
            After,
        }
        const ONE: &str = "braces mark the hash tag of Redis Cluster: write one `{..}` with something in it, or none";
        let mut tag = Tag::Before;
        let mut wrong = None;
        for part in &self.parts {
            let Part::Text(text) = part else {
                if let Tag::Inside { empty } = &mut tag {
                    *empty = false;
                }
                continue;
            };
            for character in text.chars() {
                tag = match (tag, character) {
                    (Tag::Before, '{') => Tag::Inside { empty: true },
                    (Tag::Inside { empty: false }, '}') => Tag::After,
                    (Tag::Inside { .. }, '}') => {
                        wrong = wrong.or(Some("an empty hash tag `{}` is not a hash tag"));
                        Tag::After
                    }
                    (Tag::Inside { .. }, '{') => {
                        wrong = wrong.or(Some("a hash tag cannot hold another `{`"));
                        Tag::Inside { empty: false }
                    }
                    (Tag::After, '{') => {
                        wrong = wrong.or(Some("a key has at most one hash tag"));
                        Tag::After
                    }
                    (Tag::Before, '}') => {
                        wrong = wrong.or(Some("this `}` closes no `{`"));
                        Tag::Before
                    }
                    (Tag::After, '}') => {
                        wrong = wrong.or(Some("this `}` closes no `{`"));
                        Tag::After
                    }
                    (Tag::Inside { .. }, _) => Tag::Inside { empty: false },
                    (other, _) => other,
                };
            }
        }
        if matches!(tag, Tag::Inside { .. }) {
            wrong = wrong.or(Some("this hash tag has no closing `}`"));
        }
        if let Some(rule) = wrong {
            mistakes.add(mistake(&self.literal, rule, ONE));
        }
    }

    /// The injectivity rule.
    fn check_separators(&self, mistakes: &mut Mistakes) {
        let mut previous: Option<(&str, String)> = None;
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    if let Some((_, between)) = &mut previous {
                        between.push_str(text);
                    }
                }
                Part::Value(Placeholder { path, .. }) => {
                    if let Some((before, between)) = previous
                        && !between.chars().any(separates)
                    {
                        let why = if between.is_empty() {
                            "nothing stands between them".to_owned()
                        } else {
                            format!("values may hold `{between}` too")
                        };
                        mistakes.add(mistake(
                            &self.literal,
                            format!("`<{before}>{between}<{path}>` gives different values one key, because {why}"),
                            format!("separate them by a character that values escape, such as `:`, `/` or `|`: `<{before}>:<{path}>`"),
                        ));
                    }
                    previous = Some((path, String::new()));
                }
            }
        }
    }
}

/// Keywords that `r#` does not turn into names.
const NEVER_A_FIELD: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// What an escaped value may hold as it is. The runtime escapes everything else.
fn values_keep(character: char) -> bool {
    character.is_alphanumeric() || "-._~@+".contains(character)
}

/// A character that no escaped value holds, not even as the start of an escape.
fn separates(character: char) -> bool {
    !values_keep(character) && character != '%'
}

/// The parts of the template, or the first thing in it that cannot be read.
fn split(literal: &LitStr, text: &str) -> syn::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut written = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>']) {
        written.push_str(&rest[..at]);
        let (bracket, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(bracket) {
            written.push_str(bracket);
            rest = after;
        } else if bracket == ">" {
            return Err(mistake(literal, "this `>` closes no placeholder", "write `>>` for a literal `>`"));
        } else {
            let Some((path, after)) = after.split_once('>') else {
                return Err(mistake(
                    literal,
                    format!("the placeholder `<{after}` is not closed"),
                    "close it with `>`, or write `<<` for a literal `<`",
                ));
            };
            if !written.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut written)));
            }
            parts.push(Part::Value(placeholder(literal, path)?));
            rest = after;
        }
    }
    written.push_str(rest);
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
