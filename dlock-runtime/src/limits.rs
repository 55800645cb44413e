//! What a lock can be asked for, and how it can be called. The attribute refuses while compiling what the runtime would refuse at the call, so this file
//! is part of both crates (`dlock-macros/src/limits.rs` is a link to it) and needs nothing of either.

use std::time::Duration;

/// A lease must outlast a few round trips, and the safety margin is taken off it.
pub(crate) const SHORTEST_TTL: Duration = Duration::from_millis(20);

/// 365 days: far above any lock's life, and far below the overflow of Redis, which adds it to its clock.
pub(crate) const LONGEST_TTL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Below this, a lock would be renewed for nothing else.
pub(crate) const SHORTEST_RENEWAL: Duration = Duration::from_millis(1);

/// What the store counts a TTL in: a grant must never be thought longer than the store thinks it.
pub(crate) fn whole_millis(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// What is taken off a TTL: 1% for clocks that run at different rates, 2 ms for the granularity of expiry.
pub(crate) fn margin(ttl: Duration) -> Duration {
    ttl / 100 + Duration::from_millis(2)
}

/// Whether a renewal at this interval comes before the holder counts its lock as lost.
pub(crate) fn is_in_time(renewal: Duration, ttl: Duration) -> bool {
    renewal < ttl.saturating_sub(margin(ttl))
}

/// The longest key in bytes, namespace included.
pub(crate) const LONGEST_KEY: usize = 512;

/// Endings under which the runtime keeps, or kept, what belongs to a key that has its own hash tag: queue, who was seen, fences.
pub(crate) const HELPER_ENDINGS: [&str; 3] = [":fence", ":queue", ":seen"];
