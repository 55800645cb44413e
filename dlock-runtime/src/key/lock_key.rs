//! The name of a lock, as users write it.

use std::{
    fmt::{self, Display},
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::key::template::{self, Problem};

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
/// A key is checked when a lock is taken on it; one that is not valid gives
/// [`LockError::InvalidKey`](crate::LockError::InvalidKey).
#[derive(Clone)]
pub struct LockKey {
    text: Arc<str>,
    label: &'static str,
    problem: Option<Problem>,
}

impl LockKey {
    /// Fills the placeholders of `template` with `values`, in order, and encodes each value.
    ///
    /// Letters of any alphabet, digits and `-._~@+` stay as they are; every other byte becomes `%XX`, and an empty value
    /// becomes `%empty`. `<<` and `>>` are literal angle brackets. The names between the brackets are for readers: only the
    /// attribute checks them, against the function's parameters.
    ///
    /// If the template has more or fewer placeholders than there are values, or a placeholder is not closed, the key is
    /// invalid: every use of it gives [`LockError::InvalidKey`](crate::LockError::InvalidKey).
    ///
    /// The values must be `Sync`, so that a future that makes its key in the statement that takes the lock is `Send`.
    pub fn from_template(template: &'static str, values: &[&(dyn Display + Sync)]) -> Self {
        Self::filled(template, values)
    }

    /// The same for values of one kind, which generated code does not keep across an await.
    pub(crate) fn filled<V: Display + ?Sized>(template: &'static str, values: &[&V]) -> Self {
        let mut text = String::with_capacity(template.len() + 16);
        let problem = template::fill(&mut text, template, values).err();
        if problem.is_some() {
            // Half a key must not pass for a key, not even by way of its text.
            text.clear();
        }
        Self { text: text.into(), label: template, problem }
    }

    /// A key that was computed by an expression; `label` stands for it in metrics and spans. `as_it_is` says that its text
    /// cannot be a template by mistake.
    pub(crate) fn labelled(label: &'static str, text: String, as_it_is: bool) -> Self {
        let problem = (!as_it_is && template::has_placeholder(&text)).then_some(Problem::NoTemplate);
        Self { text: text.into(), label, problem }
    }

    /// The same key under another name.
    pub(crate) fn with_label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// The name of this key in metrics and spans: its template, verbatim, so that there are few names for many keys.
    ///
    /// A key made from a plain string has the label `(by hand)`. [`LockRequest::label`](crate::LockRequest::label) sets
    /// another one.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Whether nothing can be read as its label.
    pub(crate) fn has_no_label(&self) -> bool {
        // Nearly always the first byte shows it.
        !self.label.starts_with(|first: char| first.is_ascii_graphic()) && self.label.trim_start().is_empty()
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What is wrong with how it was made.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.problem.map(Problem::text)
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
