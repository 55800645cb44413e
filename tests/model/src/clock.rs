//! Time: one counter of ticks for everybody, and what the clock of each client makes of it.
//!
//! The runtime's rules work on [`BootTime`]s. Here such a moment comes from a tick and from the rate of a client's clock, so
//! that a clock which is 1% slow is one multiplication and no state.

use std::time::Duration;

/// The time of the model. The store's clock shows it as it is.
pub(crate) type Tick = u8;

/// How long a tick is on a clock that runs right.
const TICK: Duration = Duration::from_millis(100);

/// A point on the clock of one client, as in the runtime, without a clock behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BootTime(Duration);

impl BootTime {
    /// What a clock shows at `tick` that runs at `percent` of the right rate.
    pub(crate) fn shown(tick: Tick, percent: u32) -> Self {
        Self(ticks(tick) * percent / 100)
    }

    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0 + span)
    }

    /// The time from `earlier` to this moment, zero if it is the other way round.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// For the tests that come along with the rules: lints look at them.
#[cfg(test)]
impl BootTime {
    pub(crate) const START: Self = Self(Duration::ZERO);

    pub(crate) fn now() -> Self {
        Self::from_bits(1_000_000_000)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(Duration::from_nanos(bits))
    }
}

/// A TTL of so many ticks, as the rules take it.
pub(crate) fn ticks(count: Tick) -> Duration {
    TICK * u32::from(count)
}
