//! The keys of a lock in Redis: the lock itself, the helper keys beside it while somebody waits, which lie in the same cluster
//! slot, and the fence clock of the server. A user's key must not have the form of a helper key; `key/namespace.rs` sees to that.

use std::{borrow::Cow, fmt};

use super::fence_clock::FenceClock;

/// A lock and its helper keys.
pub(super) struct Keys<'a> {
    lock: &'a str,
    fence_clock: Cow<'static, str>,
    queue: String,
    seen: String,
}

impl<'a> Keys<'a> {
    pub(super) fn of(name: &'a str, clock: &FenceClock) -> Self {
        Self {
            lock: name,
            fence_clock: clock.key(name),
            queue: queue(name).to_string(),
            seen: helper(name, ":seen").to_string(),
        }
    }

    /// As the scripts name them, `KEYS[1]` to `KEYS[4]`: the lock, the fence clock, the queue of waiters, and the times at which
    /// each of them asked last.
    pub(super) fn all(&self) -> [&str; 4] {
        [self.lock, &self.fence_clock, &self.queue, &self.seen]
    }

    /// Those that are this lock's alone.
    pub(super) fn of_lock(&self) -> [&str; 3] {
        [self.lock, &self.queue, &self.seen]
    }
}

/// The queue of a lock.
pub(super) fn queue(name: &str) -> Helper<'_> {
    helper(name, ":queue")
}

/// Writes the name of that queue over `key`.
pub(super) fn write_queue(name: &str, key: &mut String) {
    key.clear();
    queue(name).parts().into_iter().for_each(|part| key.push_str(part));
}

fn helper<'a>(name: &'a str, ending: &'static str) -> Helper<'a> {
    Helper { name, ending }
}

/// The name of a helper key.
pub(super) struct Helper<'a> {
    name: &'a str,
    ending: &'static str,
}

impl Helper<'_> {
    fn parts(&self) -> [&str; 4] {
        let Self { name, ending } = self;
        let (open, close) = if name.as_bytes().contains(&b'{') { ("", "") } else { ("{", "}") };
        [open, name, close, ending]
    }
}

impl fmt::Display for Helper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| f.write_str(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helper_keys_share_the_slot_of_their_lock() {
        let clock = FenceClock::default();
        assert_eq!(Keys::of("shop:stock:42", &clock).all()[2..], ["{shop:stock:42}:queue", "{shop:stock:42}:seen"]);
        assert_eq!(Keys::of("shop:{42}:stock", &clock).all()[2], "shop:{42}:stock:queue");
    }
}
