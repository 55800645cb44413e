//! When a turn may begin on a lease, and how long it lasts by itself.

use std::time::Duration;

use super::grant::margin;
use crate::types::boot_time::BootTime;

/// A turn that is to begin at `now`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TurnStart {
    pub(crate) ttl: Duration,
    pub(crate) is_renewed: bool,
    /// When a yes was asked for that was meant for this very turn.
    pub(crate) fresh: Option<BootTime>,
    pub(crate) now: BootTime,
}

impl TurnStart {
    /// Whether a lease until `deadline` has enough left: at least half of the TTL for a turn that is renewed, and all of it for one
    /// that is not. After a yes for this very turn, whatever is left will do, and the TTL counts from then.
    pub(crate) fn is_covered(self, deadline: BootTime) -> bool {
        let left = deadline.since(self.now);
        match (self.fresh, self.is_renewed) {
            (Some(_), true) => !left.is_zero(),
            (Some(asked), false) => !left.is_zero() && deadline >= asked.after(self.whole()),
            (None, true) => left >= self.ttl / 2,
            (None, false) => left >= self.whole(),
        }
    }

    /// From when it counts.
    pub(crate) fn began(self) -> BootTime {
        self.fresh.unwrap_or(self.now)
    }

    /// When it ends though the lease goes on: one that is renewed does not.
    pub(crate) fn limit(self) -> Option<BootTime> {
        (!self.is_renewed).then(|| self.began().after(self.whole()))
    }

    /// The TTL less what clocks may differ by.
    fn whole(self) -> Duration {
        self.ttl.saturating_sub(margin(self.ttl))
    }
}
