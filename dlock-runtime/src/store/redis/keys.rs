//! The keys of a lock in Redis: the lock itself, the helper keys beside it while somebody waits, which lie in the same cluster
//! slot, and the fence clock of the server. A user's key must not have the form of a helper key; `key/namespace.rs` sees to that.

use std::borrow::Cow;

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
        Self { lock: name, fence_clock: clock.key(name), queue: helper(name, ":queue"), seen: helper(name, ":seen") }
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

fn helper(name: &str, ending: &str) -> String {
    if name.contains('{') { [name, ending].concat() } else { ["{", name, "}", ending].concat() }
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
