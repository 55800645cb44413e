//! What this process knows of the server's fence clock (`scripts/mint.lua`): under which key it lies, and how far it went.

use std::{
    borrow::Cow,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use redis::{RedisError, ServerErrorKind};

use super::slots;
use crate::key::namespace::FENCE_CLOCK;

/// Fences stay below 2^53, so that they are exact in a double.
const BEYOND: u64 = 1 << 53;

/// Whoever does not know that this is a cluster uses the clock of a server for the locks of its slot.
static OWN_SLOT: LazyLock<u16> = LazyLock::new(|| slots::slot(FENCE_CLOCK));

fn write_key(slot: u16, key: &mut String) {
    key.clear();
    key.push_str(FENCE_CLOCK);
    if slot != *OWN_SLOT {
        key.push(':');
        slots::tag(slot).push_to(key);
    }
}

/// The fence clock of a server, or those of a cluster.
#[derive(Default)]
pub(super) struct FenceClock {
    /// The highest fence that the server told of. It helps one that lost its clock.
    highest: AtomicU64,
    /// The same for each slot of a cluster: a script touches keys of one slot there, so each slot has a clock, and one that
    /// had to keep up with the others would look at the server's life each time.
    per_slot: OnceLock<Box<[AtomicU64]>>,
}

impl FenceClock {
    /// The highest fence that is known of the clock for a lock.
    pub(super) fn highest(&self, lock: &str) -> u64 {
        self.of(lock).load(Ordering::Relaxed)
    }

    /// The server gave out fences up to this one for a lock. What is beyond all fences is a message of somebody else.
    pub(super) fn note(&self, lock: &str, fence: u64) {
        let highest = self.of(lock);
        if fence > highest.load(Ordering::Relaxed) && fence < BEYOND {
            highest.fetch_max(fence, Ordering::Relaxed);
        }
    }

    fn of(&self, lock: &str) -> &AtomicU64 {
        self.at(|| slots::slot(lock))
    }

    fn at(&self, slot: impl FnOnce() -> u16) -> &AtomicU64 {
        self.per_slot.get().map_or(&self.highest, |clocks| &clocks[usize::from(slot())])
    }

    /// The key of the clock for a lock.
    pub(super) fn key(&self, lock: &str) -> Cow<'static, str> {
        if !self.is_per_slot() {
            return Cow::Borrowed(FENCE_CLOCK);
        }
        let mut key = String::new();
        write_key(slots::slot(lock), &mut key);
        Cow::Owned(key)
    }

    /// Writes the key of the clock for a lock in a cluster over `key`, and returns the highest fence that is known of it. Many of them are
    /// needed at once, and by way of a formatter that would be dear.
    pub(super) fn write_of_slot(&self, lock: &str, key: &mut String) -> u64 {
        let slot = slots::slot(lock);
        write_key(slot, key);
        self.at(|| slot).load(Ordering::Relaxed)
    }

    pub(super) fn is_per_slot(&self) -> bool {
        self.per_slot.get().is_some()
    }

    /// The server belongs to a cluster.
    pub(super) fn use_slots(&self) {
        // What was known of the server is above what any of its slots had.
        let highest = self.highest.load(Ordering::Relaxed);
        self.per_slot.get_or_init(|| (0..slots::SLOTS).map(|_| AtomicU64::new(highest)).collect());
    }

    /// Whether an error says that the clock must lie in the slot of the lock. That is remembered.
    pub(super) fn wants_slots(&self, error: &RedisError) -> bool {
        let wants = error.kind() == ServerErrorKind::CrossSlot.into();
        if wants {
            self.use_slots();
        }
        wants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_one_clock_and_a_cluster_one_in_the_slot_of_each_lock() {
        let clock = FenceClock::default();
        assert_eq!((clock.key("shop:stock:42"), clock.key("{a}:b")), (FENCE_CLOCK.into(), FENCE_CLOCK.into()));
        clock.use_slots();
        for lock in ["shop:stock:42", "{a}:b", "b{a}", "x", "dlock:{fence-clock}"] {
            let key = clock.key(lock);
            assert_eq!(slots::slot(&key), slots::slot(lock), "{key}");
            assert!(key.starts_with("dlock:fence-clock:{"), "{key}");
        }
        assert_eq!(clock.key("{a}:b"), clock.key("b{a}"));
        assert_eq!(clock.key("{dlock:fence-clock}"), FENCE_CLOCK);
    }

    #[test]
    fn the_highest_fence_does_not_go_back_and_is_no_nonsense() {
        let clock = FenceClock::default();
        for (fence, highest) in [(5, 5), (3, 5), (9, 9), (u64::MAX, 9)] {
            clock.note("a", fence);
            assert_eq!((clock.highest("a"), clock.highest("b")), (highest, highest));
        }
        clock.use_slots();
        clock.note("a", 10);
        assert_eq!(
            (clock.highest("a"), clock.highest("{a}:c"), clock.highest("b")),
            (10, 10, 9),
            "each slot by itself"
        );
    }
}
