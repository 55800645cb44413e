//! The clock that deadlines are measured on.
//!
//! A lease goes on ageing in Redis while this machine is suspended, so its deadline must too. On Linux
//! [`std::time::Instant`] stops during suspend; `CLOCK_BOOTTIME` does not. Elsewhere `Instant` is the best there is.

use std::time::Duration;

use crate::{
    sync::{AtomicU64, Ordering},
    system,
};

/// A point on the clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BootTime(u64);

impl BootTime {
    /// Earlier than every moment that [`now`](Self::now) returns.
    pub(crate) const START: Self = Self(0);
    /// Later than every moment that comes up in practice.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) fn now() -> Self {
        Self(system::boot_nanos())
    }

    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// The time from `earlier` to this moment, zero if it is the other way round.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// Moves a deadline on, but neither back nor back to life once it has passed. True if it moved.
pub(crate) fn advance(deadline: &AtomicU64, to: BootTime) -> bool {
    let now = BootTime::now();
    let later = |old| (now < BootTime(old) && BootTime(old) < to).then_some(to.0);
    deadline.fetch_update(Ordering::AcqRel, Ordering::Acquire, later).is_ok()
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_forward_and_saturates() {
        let before = BootTime::now();
        let after = BootTime::now();
        assert!(BootTime::START < before && before <= after && after < BootTime::NEVER);
        assert_eq!(before.since(before.after(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(before.after(Duration::from_secs(1)).since(before), Duration::from_secs(1));
        assert_eq!(before.after(Duration::MAX), BootTime::NEVER);
    }
}
