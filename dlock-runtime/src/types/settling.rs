//! The failover guard, as users see it.

use std::{error::Error, fmt, time::Duration};

/// How long a lock store that may have lost what it granted last grants nothing: see
/// [`Builder::failover_guard`](crate::Builder::failover_guard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailoverGuard {
    /// For the builder's [`ttl`](crate::Builder::ttl) and a second.
    On,
    /// For this long: at least a second more than the longest TTL that is asked for.
    For(Duration),
    /// It grants at once, also what somebody else may hold yet.
    Off,
}

impl From<bool> for FailoverGuard {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Duration> for FailoverGuard {
    fn from(quarantine: Duration) -> Self {
        Self::For(quarantine)
    }
}

/// What a server may have granted before a failover, and for how long a server that was replaced may go on to grant: the quarantine
/// less this is the longest TTL that may be asked for.
pub(crate) const REPLACED_FOR: Duration = Duration::from_secs(1);

impl FailoverGuard {
    /// For how long a server is closed after a failover; `None` if not at all. `ttl` is that of the builder.
    pub(crate) fn quarantine(self, ttl: Duration) -> Option<Duration> {
        match self {
            Self::On => Some(ttl.saturating_add(REPLACED_FOR)),
            Self::For(quarantine) => Some(quarantine),
            Self::Off => None,
        }
    }
}

/// The lock store is closed for a while after a failover or its start, so that nothing is granted that somebody may hold yet. Locks
/// that are held are renewed and released meanwhile.
///
/// It is the source of [`LockError::Unavailable`](crate::LockError::Unavailable):
///
/// ```
/// use std::error::Error;
/// use dlock_runtime::{LockError, Settling};
///
/// fn retry_after(error: &LockError) -> Option<std::time::Duration> {
///     error.source()?.downcast_ref::<Settling>().map(Settling::opens_in)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    opens_in: Duration,
}

impl Settling {
    pub(crate) fn new(opens_in: Duration) -> Self {
        Self { opens_in }
    }

    /// How long it grants nothing yet, as the store said when it was last asked.
    pub fn opens_in(&self) -> Duration {
        self.opens_in
    }
}

impl fmt::Display for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "after a failover or its start the lock store grants nothing for another {:.1?}, as somebody may hold the lock yet \
             (failover_guard)",
            self.opens_in
        )
    }
}

impl Error for Settling {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_on_for_the_ttl_of_the_builder_and_a_second_or_for_as_long_as_is_said() {
        let seconds = Duration::from_secs;
        let quarantine = |guard: FailoverGuard| guard.quarantine(seconds(10));
        assert_eq!(quarantine(true.into()), Some(seconds(11)));
        assert_eq!(quarantine(seconds(31).into()), Some(seconds(31)));
        assert_eq!(quarantine(false.into()), None);
    }
}
