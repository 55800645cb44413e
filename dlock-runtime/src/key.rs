//! The name of a lock: what users write, made safe for Redis.
//!
//! A key is a template whose placeholders are filled with values. Values come from requests, so they are
//! percent-encoded: no value can smuggle in a separator, a hash tag or a line break, and two different lists of
//! values never give the same key.

use std::{
    borrow::Cow,
    fmt::{self, Display, Write as _},
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::error::LockError;

/// The longest key that is accepted, in bytes, namespace included.
const MAX_BYTES: usize = 512;

/// What an empty value looks like. It cannot come from encoding, which puts two hex digits behind every `%`.
const EMPTY: &str = "%empty";

/// The label of a key that was made by hand from a plain string, which may hold anything.
const BY_HAND: &str = "(by hand)";

/// The name of a lock, without the namespace of the runtime that takes it.
///
/// ```
/// use dlock_runtime::LockKey;
///
/// let key = LockKey::from_template("stock:<sku>", &[&"A 7/b"]);
/// assert_eq!(key.to_string(), "stock:A%207%2Fb");
/// assert_eq!(key.label(), "stock:<sku>");
///
/// // A plain string is taken as it is.
/// assert_eq!(LockKey::from("report:daily").to_string(), "report:daily");
/// ```
///
/// Whether a key is fit for use is checked when a lock is taken on it: see [`LockError::InvalidKey`].
#[derive(Clone)]
pub struct LockKey {
    text: Arc<str>,
    label: &'static str,
    problem: Option<&'static str>,
}

impl LockKey {
    /// Fills the placeholders of `template` with `values`, in order, and encodes each value.
    ///
    /// Letters, digits, `-._~@+` and letters outside ASCII stay; every other byte becomes `%XX`. An empty value
    /// becomes `%empty`. `<<` and `>>` stand for literal angle brackets. The names between the brackets are for
    /// readers; the attribute checks them against the function's parameters.
    ///
    /// A template with more or fewer placeholders than values, or with an unclosed one, gives a key that every
    /// use answers with [`LockError::InvalidKey`].
    pub fn from_template(template: &'static str, values: &[&dyn Display]) -> Self {
        let mut text = String::with_capacity(template.len() + 16);
        let problem = fill(&mut text, template, values).err();
        Self { text: text.into(), label: template, problem }
    }

    /// A key that was computed by an expression; `label` stands for it in metrics and spans.
    pub(crate) fn labelled(label: &'static str, text: String) -> Self {
        Self { text: text.into(), label, problem: None }
    }

    /// The template, verbatim: the low-cardinality name of this key in metrics and spans.
    ///
    /// Keys that were made from a plain string have the label `(by hand)`.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Why no lock can be taken on `name`, this key with its namespace before it.
    fn flaw(&self, name: &str) -> Option<Cow<'static, str>> {
        if let Some(problem) = self.problem {
            return Some(problem.into());
        }
        if self.text.is_empty() {
            return Some("it is empty".into());
        }
        if name.len() > MAX_BYTES {
            return Some(format!("it has {} bytes, and at most {MAX_BYTES} are allowed", name.len()).into());
        }
        if name.chars().any(char::is_control) {
            return Some(
                "it holds a control character; pass such values through a placeholder, which encodes them".into(),
            );
        }
        if !braces_form_one_tag(name) {
            return Some("its braces do not form exactly one hash tag `{...}` with something in it".into());
        }
        if name.contains('{') && (name.ends_with(FENCE_SUFFIX) || name.ends_with(QUEUE_SUFFIX)) {
            return Some("it has the form of a helper key: a hash tag, and `:fence` or `:queue` at its end".into());
        }
        None
    }
}

/// Two keys are equal if they name the same lock, whatever template they come from.
impl PartialEq for LockKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LockKey {}

impl Hash for LockKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockKey").field(&self.text).finish()
    }
}

impl From<&str> for LockKey {
    fn from(text: &str) -> Self {
        Self { text: text.into(), label: BY_HAND, problem: None }
    }
}

impl From<String> for LockKey {
    fn from(text: String) -> Self {
        Self { text: text.into(), label: BY_HAND, problem: None }
    }
}

impl From<&String> for LockKey {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Self> for LockKey {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

const FENCE_SUFFIX: &str = ":fence";
const QUEUE_SUFFIX: &str = ":queue";

/// What a runtime puts before its keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// A namespace that already ends in a separator is taken as it is, so that the prefixes of other clients
    /// (`process_lock_`) work; any other is followed by a colon.
    pub(crate) fn new(mut prefix: String) -> Self {
        if !prefix.is_empty() && !prefix.ends_with([':', '_', '-', '/', '.']) {
            prefix.push(':');
        }
        Self(prefix)
    }

    /// The Redis key of a lock.
    ///
    /// # Errors
    /// [`LockError::InvalidKey`] if the key is not fit for use.
    pub(crate) fn name(&self, key: &LockKey) -> Result<Arc<str>, LockError> {
        let name: Arc<str> =
            if self.0.is_empty() { key.text.clone() } else { format!("{}{}", self.0, key.text).into() };
        match key.flaw(&name) {
            None => Ok(name),
            Some(reason) => Err(LockError::InvalidKey { key: key.clone(), reason }),
        }
    }
}

/// The key of the fence record that belongs to the lock `name`.
pub(crate) fn fence_name(name: &str) -> String {
    helper_name(name, FENCE_SUFFIX)
}

/// The key of the queue of waiters that belongs to the lock `name`.
pub(crate) fn queue_name(name: &str) -> String {
    helper_name(name, QUEUE_SUFFIX)
}

/// A helper key lies in the same cluster slot as its lock.
fn helper_name(name: &str, suffix: &str) -> String {
    if name.contains('{') { format!("{name}{suffix}") } else { format!("{{{name}}}{suffix}") }
}

fn braces_form_one_tag(name: &str) -> bool {
    let mut braces = name.match_indices(['{', '}']);
    match (braces.next(), braces.next(), braces.next()) {
        (None, ..) => true,
        (Some((open, "{")), Some((close, "}")), None) => close > open + 1,
        _ => false,
    }
}

fn fill(text: &mut String, template: &str, values: &[&dyn Display]) -> Result<(), &'static str> {
    let mut values = values.iter();
    let mut rest = template;
    while let Some(at) = rest.find(['<', '>']) {
        let (literal, bracket) = rest.split_at(at);
        text.push_str(literal);
        if let Some(after) = bracket.strip_prefix("<<") {
            text.push('<');
            rest = after;
        } else if let Some(after) = bracket.strip_prefix(">>") {
            text.push('>');
            rest = after;
        } else if bracket.starts_with('>') {
            return Err("its template has a `>` that closes nothing; write `>>` for a literal one");
        } else {
            let (_, after) =
                bracket.split_once('>').ok_or("its template has a `<` without a `>`; write `<<` for a literal one")?;
            let value = values.next().ok_or("its template has more placeholders than there are values")?;
            encode(text, value)?;
            rest = after;
        }
    }
    text.push_str(rest);
    match values.next() {
        None => Ok(()),
        Some(_) => Err("its template has fewer placeholders than there are values"),
    }
}

fn encode(text: &mut String, value: &dyn Display) -> Result<(), &'static str> {
    let before = text.len();
    write!(Encoder(text), "{value}").map_err(|_| "one of its values failed to format itself")?;
    if text.len() == before {
        text.push_str(EMPTY);
    }
    Ok(())
}

/// Percent-encodes what is written through it.
struct Encoder<'a>(&'a mut String);

impl fmt::Write for Encoder<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for character in part.chars() {
            if is_unreserved(character) {
                self.0.push(character);
            } else {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    write!(self.0, "%{byte:02X}")?;
                }
            }
        }
        Ok(())
    }
}

fn is_unreserved(character: char) -> bool {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | '@' | '+' => true,
        _ => !character.is_ascii() && character.is_alphabetic(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn key(template: &'static str, values: &[&dyn Display]) -> String {
        LockKey::from_template(template, values).to_string()
    }

    fn is_valid(text: &str) -> bool {
        Namespace::default().name(&LockKey::from(text)).is_ok()
    }

    #[test]
    fn values_cannot_smuggle_in_separators_braces_or_line_breaks() {
        assert_ne!(key("<a>:<b>", &[&"a:b", &"c"]), key("<a>:<b>", &[&"a", &"b:c"]));
        assert_eq!(key("stock:<id>", &[&"{x}\n\0"]), "stock:%7Bx%7D%0A%00");
        assert_eq!(key("stock:<id>", &[&"whole milk"]), "stock:whole%20milk");
        assert_eq!(key("stock:<id>", &[&"Käse-1.5_~@+"]), "stock:Käse-1.5_~@+");
    }

    #[test]
    fn an_empty_value_is_visible_and_like_no_other() {
        assert_eq!(key("{<a>}:x", &[&""]), "{%empty}:x");
        assert_ne!(key("<a>", &[&""]), key("<a>", &[&"%empty"]));
    }

    #[test]
    fn different_values_never_give_one_key() {
        let alphabet = ["", "a", ":", "%", "{", "}", "/", "\0", "%empty", "a:", ":a", "é", "\u{1F600}", "%3A"];
        let mut seen = HashMap::new();
        for one in alphabet {
            for other in alphabet {
                let text = key("k:<one>:<other>", &[&one, &other]);
                assert_eq!(seen.insert(text.clone(), (one, other)), None, "{text}");
            }
        }
        // The negative control: without encoding, two of these collide.
        assert_eq!(format!("{}:{}", "a:", "a"), format!("{}:{}", "a", ":a"));
    }

    #[test]
    fn doubled_brackets_are_literal() {
        assert_eq!(key("a<<b>>c<x>", &[&1]), "a<b>c1");
    }

    #[test]
    fn a_malformed_template_is_an_invalid_key() {
        for (template, values) in [("a<b", 1), ("a>b", 0), ("<a><b>", 1), ("a", 1)] {
            let values: Vec<&dyn Display> = (0..values).map(|_| &"v" as &dyn Display).collect();
            let key = LockKey::from_template(template, &values);
            assert!(matches!(Namespace::default().name(&key), Err(LockError::InvalidKey { .. })), "{template}");
        }
    }

    #[test]
    fn keys_that_redis_or_an_operator_would_stumble_over_are_refused() {
        for bad in ["", "a\nb", "a\0b", "{}", "{a", "a}", "}a{", "{a}{b}", "{{a}}", "{a}:fence"] {
            assert!(!is_valid(bad), "{bad:?}");
        }
        for good in ["stock:42", "{a}:b", "a b/c(d)", "a:fence"] {
            assert!(is_valid(good), "{good:?}");
        }
        assert!(is_valid(&"x".repeat(512)) && !is_valid(&"x".repeat(513)));
    }

    #[test]
    fn the_namespace_is_joined_by_a_colon_unless_it_brings_its_own_separator() {
        for (prefix, name) in [("shop", "shop:k"), ("shop:", "shop:k"), ("process_lock_", "process_lock_k"), ("", "k")]
        {
            assert_eq!(&*Namespace::new(prefix.into()).name(&"k".into()).expect("valid"), name);
        }
    }

    #[test]
    fn the_fence_shares_the_slot_of_its_lock() {
        assert_eq!(fence_name("shop:stock:42"), "{shop:stock:42}:fence");
        assert_eq!(fence_name("shop:{42}:stock"), "shop:{42}:stock:fence");
    }
}
