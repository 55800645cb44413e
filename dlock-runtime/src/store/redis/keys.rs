//! The keys of a lock in Redis: the lock itself, and the helper keys beside it, which lie in the same cluster slot. A user's key
//! must not have the form of a helper key; `key/namespace.rs` sees to that, by the same list of endings.

use crate::limits::HELPER_ENDINGS;

/// A lock and its helper keys.
pub(super) struct Keys<'a> {
    lock: &'a str,
    fence: String,
    queue: String,
    seen: String,
}

impl<'a> Keys<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        let [fence, queue, seen] = HELPER_ENDINGS.map(|ending| helper(name, ending));
        Self { lock: name, fence, queue, seen }
    }

    /// As the scripts name them, `KEYS[1]` to `KEYS[4]`: the lock, its fence record, the queue of waiters, and the times at which
    /// each of them asked last.
    pub(super) fn all(&self) -> [&str; 4] {
        [self.lock, &self.fence, &self.queue, &self.seen]
    }
}

/// The fence record of the lock `name`.
pub(super) fn fence(name: &str) -> String {
    let [fence, ..] = HELPER_ENDINGS;
    helper(name, fence)
}

fn helper(name: &str, ending: &str) -> String {
    if name.contains('{') { [name, ending].concat() } else { ["{", name, "}", ending].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helper_keys_share_the_slot_of_their_lock() {
        let helpers = ["{shop:stock:42}:fence", "{shop:stock:42}:queue", "{shop:stock:42}:seen"];
        assert_eq!(Keys::of("shop:stock:42").all()[1..], helpers);
        assert_eq!(Keys::of("shop:{42}:stock").all()[1], "shop:{42}:stock:fence");
        assert_eq!(fence("shop:stock:42"), helpers[0]);
    }
}
