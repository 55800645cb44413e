//! A length of time in half the room of a [`Duration`], for what a process may hold a hundred thousand of.

use std::{num::NonZeroU64, time::Duration};

use crate::types::boot_time::BootTime;

/// A length of time in nanoseconds: at least one, and at most 584 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(NonZeroU64);

impl Nanos {
    pub(crate) const MAX: Self = Self(NonZeroU64::MAX);

    pub(crate) fn get(self) -> Duration {
        Duration::from_nanos(self.0.get())
    }

    /// The moment that comes so long after `time`, without a conversion.
    pub(crate) fn after(self, time: BootTime) -> BootTime {
        BootTime::from_bits(time.to_bits().saturating_add(self.0.get()))
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_the_duration_it_came_from_within_its_bounds() {
        for duration in [Duration::from_nanos(1), Duration::from_millis(1500), Duration::from_secs(9_000_000_000)] {
            assert_eq!(Nanos::from(duration).get(), duration);
        }
        assert_eq!(Nanos::from(Duration::ZERO).get(), Duration::from_nanos(1));
        assert_eq!(Nanos::from(Duration::MAX), Nanos::MAX);
    }

    #[test]
    fn a_moment_after_a_span_is_that_after_the_duration() {
        let time = BootTime::from_bits(1 << 40);
        for duration in [Duration::from_nanos(1), Duration::from_millis(1500), Duration::MAX] {
            assert_eq!(Nanos::from(duration).after(time), time.after(duration));
        }
    }

    #[test]
    fn a_span_is_half_as_large_even_if_it_is_absent() {
        assert_eq!(size_of::<Option<Nanos>>() * 2, size_of::<Duration>());
    }
}
