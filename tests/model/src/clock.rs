//! Time: one counter of ticks for everybody, and what the clock of each client makes of it.
//!
//! The rules under test work on [`BootTime`]s. Here a moment comes from a tick and from the rate of a client's clock, so
//! that a clock which is 1% slow is one multiplication and no state.

use std::time::Duration;

/// The time of the model. The store's clock shows it as it is.
pub(crate) type Tick = u8;

/// How long a tick is on a clock that runs right.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// A point on the clock of one client, in nanoseconds: as in the runtime, without a clock behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BootTime(u64);

impl BootTime {
    /// Earlier than every moment that a client sees.
    #[cfg(test)]
    pub(crate) const START: Self = Self(0);

    /// Any moment does for the tests that come along with the rules.
    #[cfg(test)]
    pub(crate) fn now() -> Self {
        Self(1_000_000_000)
    }

    #[cfg(test)]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// What a clock shows at `tick` that runs at `percent` of the right rate.
    pub(crate) fn shown(tick: Tick, percent: u8) -> Self {
        Self(nanos(TICK) / 100 * u64::from(percent) * u64::from(tick))
    }

    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0 + nanos(span))
    }

    /// The time from `earlier` to this moment, zero if it is the other way round.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A TTL of so many ticks, as the rules take it.
pub(crate) fn ticks(count: Tick) -> Duration {
    TICK * u32::from(count)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
