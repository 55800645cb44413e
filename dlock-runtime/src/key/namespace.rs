//! The namespace of a runtime, and which keys are fit for use in it.

use std::{borrow::Cow, sync::Arc};

use crate::{
    key::{LockKey, grammar::flaw_of_braces},
    limits::{HELPER_ENDINGS, LONGEST_KEY},
};

/// The key from which all fences of a server come; in a cluster `:{tag}` follows, by slot. It is the same for all namespaces:
/// one lock can be named by way of several.
pub(crate) const FENCE_CLOCK: &str = "dlock:fence-clock";

/// The key by which the failover guard knows the server's life; in a cluster `:{tag}` follows, by shard. It is the same for all
/// namespaces.
pub(crate) const EPOCH: &str = "dlock:epoch";

/// The longest namespace: it leaves room for the keys.
const MAX_NAMESPACE_BYTES: usize = 256;

/// What a runtime puts before its keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace(String);

impl Namespace {
    /// # Errors
    /// Why no key would be fit for use behind this prefix.
    pub(crate) fn check(prefix: &str) -> Result<(), String> {
        Err(if prefix.len() > MAX_NAMESPACE_BYTES {
            format!("the namespace has {} bytes, and at most {MAX_NAMESPACE_BYTES} are allowed", prefix.len())
        } else if prefix.chars().any(char::is_control) {
            "the namespace holds a control character".to_owned()
        } else if flaw_of_braces(prefix).is_some() {
            "the braces of the namespace do not form exactly one hash tag `{...}` with something in it".to_owned()
        } else {
            return Ok(());
        })
    }

    /// A namespace that already ends in a separator is taken as it is, so that the prefixes of other clients
    /// (`process_lock_`) work; any other is followed by a colon.
    pub(crate) fn new(mut prefix: String) -> Self {
        if !prefix.is_empty() && !prefix.ends_with([':', '_', '-', '/', '.']) {
            prefix.push(':');
        }
        Self(prefix)
    }

    /// How many bytes it puts before a key.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of a lock in the store.
    ///
    /// # Errors
    /// Why the key is not fit for use.
    pub(crate) fn name(&self, key: &LockKey) -> Result<Arc<str>, Cow<'static, str>> {
        let name = if self.0.is_empty() { Arc::clone(key.text()) } else { [&*self.0, key.text()].concat().into() };
        match flaw(key, &name) {
            None => Ok(name),
            Some(reason) => Err(reason),
        }
    }
}

/// Why no lock can be taken on `name`, which is `key` with its namespace before it.
fn flaw(key: &LockKey, name: &str) -> Option<Cow<'static, str>> {
    if let Some(problem) = key.problem() {
        return Some(problem.into());
    }
    if key.text().is_empty() {
        return Some("it is empty".into());
    }
    if name.len() > LONGEST_KEY {
        return Some(format!("it has {} bytes, and at most {LONGEST_KEY} are allowed", name.len()).into());
    }
    let is_at = |key: &str| name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    if is_at(FENCE_CLOCK) {
        return Some("the runtime keeps its fence clock under this name".into());
    }
    if is_at(EPOCH) {
        return Some("the failover guard keeps what it knows of the server under this name".into());
    }
    // Most keys are plain: one look at each byte will do.
    if name.bytes().all(|byte| matches!(byte, b' '..=b'z' | b'|' | b'~')) {
        return None;
    }
    if name.chars().any(char::is_control) {
        return Some("it holds a control character; pass such values through a placeholder, which encodes them".into());
    }
    if flaw_of_braces(name).is_some() {
        return Some("its braces do not form exactly one hash tag `{...}` with something in it".into());
    }
    if name.contains('{') && HELPER_ENDINGS.iter().any(|suffix| name.ends_with(suffix)) {
        return Some(
            "it has the form of a helper key: a hash tag, and `:fence`, `:queue` or `:seen` at its end".into(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use super::*;

    fn is_valid(text: &str) -> bool {
        Namespace::default().name(&LockKey::from(text)).is_ok()
    }

    #[test]
    fn a_malformed_template_is_an_invalid_key() {
        for (template, values) in [("a<b", 1), ("a>b", 0), ("<a><b>", 1), ("a", 1)] {
            let values: Vec<&(dyn Display + Sync)> = (0..values).map(|_| &"v" as &(dyn Display + Sync)).collect();
            let key = LockKey::from_template(template, &values);
            assert!(Namespace::default().name(&key).is_err(), "{template}");
            let copied = LockKey::from(key.to_string());
            assert!(Namespace::default().name(&copied).is_err(), "{template}: nor is its text a key");
        }
    }

    #[test]
    fn keys_that_redis_or_an_operator_would_stumble_over_are_refused() {
        for bad in [
            "",
            "a\nb",
            "a\0b",
            "{}",
            "{a",
            "a}",
            "}a{",
            "{a}{b}",
            "{{a}}",
            "{a}:fence",
            "{a}:seen",
            FENCE_CLOCK,
            "dlock:fence-clock:{a}",
        ] {
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
}
