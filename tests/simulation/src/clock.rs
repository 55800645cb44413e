//! Virtual time, and the clocks of the processes, which run at rates of their own.

use std::time::Duration;

/// The true time: nanoseconds since the world began. Only the world, the store and the judge know it.
pub(crate) type Time = u64;

pub(crate) const MICROSECOND: Time = 1_000;
pub(crate) const MILLISECOND: Time = 1_000_000;
pub(crate) const SECOND: Time = 1_000_000_000;

/// A point on the clock of one process, in nanoseconds. Offers what the included rules of dlock use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(u64);

impl BootTime {
    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment, zero if it is the other way round.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// What the unit tests inside the included files use.
#[cfg(test)]
impl BootTime {
    pub(crate) const START: Self = Self(0);

    pub(crate) fn now() -> Self {
        Self(1)
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The clock of a process: runs steadily, but not at quite the right rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Ticks per true nanosecond, times 2^32.
    rate: u64,
    offset: u64,
}

impl Clock {
    /// `drift` in parts per million.
    pub(crate) fn new(drift: i64, offset: u64) -> Self {
        let rate = (1_000_000 + drift) as u128;
        Self { rate: ((rate << 32) / 1_000_000) as u64, offset }
    }

    /// What it shows.
    pub(crate) fn at(self, time: Time) -> BootTime {
        BootTime(self.offset + ((u128::from(time) * u128::from(self.rate)) >> 32) as u64)
    }

    /// The first moment of true time at which it shows `moment` or more.
    pub(crate) fn time_of(self, moment: BootTime) -> Time {
        let ticks = u128::from(moment.0.saturating_sub(self.offset)) << 32;
        ticks.div_ceil(u128::from(self.rate)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_runs_at_its_rate_and_can_be_asked_both_ways() {
        for drift in [-10_000, -123, 0, 10_000] {
            let clock = Clock::new(drift, 77);
            let later = clock.at(100 * SECOND).since(clock.at(0));
            let expected = Duration::from_nanos((100 * SECOND).saturating_add_signed(drift * 100_000));
            assert!(later.abs_diff(expected) < Duration::from_nanos(100), "{later:?}");
            for time in [0, 1, 999, 12_345_678_901] {
                let moment = clock.at(time);
                let back = clock.time_of(moment);
                assert!(back <= time && clock.at(back) >= moment, "{drift} {time} {back}");
                assert!(back == 0 || clock.at(back - 1) < moment, "not the first");
            }
        }
    }
}
