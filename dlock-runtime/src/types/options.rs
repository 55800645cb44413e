//! The options of a lock, their defaults and their limits.

use std::time::Duration;

pub(crate) use crate::limits::whole_millis;
use crate::{
    limits::{LONGEST_TTL, SHORTEST_RENEWAL, SHORTEST_TTL, is_in_time, margin},
    types::{error::LockError, settling::REPLACED_FOR},
};

/// How long to wait for a lock that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// At most this long, all retries included. Zero tries once.
    For(Duration),
    /// Until the lock is acquired, or until an error other than "busy" comes up that waiting does not cure.
    Forever,
}

impl From<Duration> for Wait {
    fn from(bound: Duration) -> Self {
        Self::For(bound)
    }
}

/// Whether and how often a held lock is renewed in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renew {
    /// Every third of the TTL.
    Auto,
    /// At this interval: at least 1 ms, and shorter than the TTL less 1% and 2 ms.
    Every(Duration),
    /// Never. The lock is lost when its TTL is over.
    Off,
}

impl From<bool> for Renew {
    fn from(on: bool) -> Self {
        if on { Self::Auto } else { Self::Off }
    }
}

impl From<Duration> for Renew {
    fn from(interval: Duration) -> Self {
        Self::Every(interval)
    }
}

/// The longest time for which a lock may be held, renewals included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxHold {
    /// At most this long. Then the lock is lost, even if its holder is alive.
    For(Duration),
    /// As long as the lock is renewed.
    Unbounded,
}

impl From<Duration> for MaxHold {
    fn from(bound: Duration) -> Self {
        Self::For(bound)
    }
}

/// What happens to the body of an annotated function when its lock is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLost {
    /// The body is dropped at its next await and the function returns [`LockError::Lost`].
    Cancel,
    /// The body runs to its end without the lock. Log and metrics record the loss.
    Finish,
}

/// What one lock request asks for; what it leaves open comes from the [`Defaults`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) ttl: Option<Duration>,
    pub(crate) wait: Option<Wait>,
    pub(crate) renew: Option<Renew>,
    pub(crate) max_hold: Option<MaxHold>,
    /// Nobody will look at the fence, so that none is needed.
    pub(crate) unfenced: bool,
}

/// The defaults of a runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) ttl: Duration,
    pub(crate) wait: Wait,
    pub(crate) renew: Renew,
    pub(crate) max_hold: MaxHold,
    /// For how long the store is closed after a failover, if it is guarded: no lease may outlast that.
    pub(crate) quarantine: Option<Duration>,
}

/// How long a request waits unless somebody says otherwise.
pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(3);

impl Default for Defaults {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(10),
            wait: Wait::For(DEFAULT_WAIT),
            renew: Renew::Auto,
            max_hold: MaxHold::Unbounded,
            quarantine: None,
        }
    }
}

/// What holds for one lock, complete and checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) ttl: Duration,
    pub(crate) wait: Wait,
    /// The interval of renewal, `None` if there is none.
    pub(crate) renew: Option<Duration>,
    /// The bound on the whole hold, `None` if there is none.
    pub(crate) max_hold: Option<Duration>,
    /// Whether it needs a fence.
    pub(crate) fenced: bool,
}

impl Overrides {
    /// The terms, where those of a request that leaves all open are known: how long to wait and whether a fence is needed changes
    /// nothing of the rest. `None` if they have to be resolved.
    #[inline]
    pub(crate) fn apply_to(&self, usual: &Terms) -> Option<Terms> {
        let is_usual = self.ttl.is_none() && self.renew.is_none() && self.max_hold.is_none();
        is_usual.then(|| Terms { wait: self.wait.unwrap_or(usual.wait), fenced: !self.unfenced, ..*usual })
    }

    /// # Errors
    /// [`LockError::Config`] for values that cannot work or contradict each other.
    pub(crate) fn resolve(self, defaults: &Defaults) -> Result<Terms, LockError> {
        let ttl = self.ttl.unwrap_or(defaults.ttl);
        if ttl < SHORTEST_TTL {
            return Err(LockError::config(format!("ttl is {ttl:?}, and it must be at least {SHORTEST_TTL:?}")));
        }
        if ttl > LONGEST_TTL {
            return Err(LockError::config(format!("ttl is {ttl:?}, and it must be at most 365 days, {LONGEST_TTL:?}")));
        }
        let ttl = whole_millis(ttl);
        if let Some(quarantine) =
            defaults.quarantine.filter(|quarantine| ttl.saturating_add(REPLACED_FOR) > *quarantine)
        {
            let (most, needed) = (quarantine.saturating_sub(REPLACED_FOR), ttl.saturating_add(REPLACED_FOR));
            return Err(LockError::config(format!(
                "ttl is {ttl:?}, and the failover guard of {quarantine:?} covers {most:?} at most; ask for a shorter ttl, or say \
                 `.failover_guard({needed:?})` on the builder, for which new locks are refused after a failover"
            )));
        }
        let renew = match self.renew.unwrap_or(defaults.renew) {
            Renew::Auto => Some(ttl / 3),
            Renew::Off => None,
            Renew::Every(interval) if interval < SHORTEST_RENEWAL => {
                return Err(LockError::config(format!(
                    "renew is {interval:?}, and it must be at least {SHORTEST_RENEWAL:?}"
                )));
            }
            Renew::Every(interval) if !is_in_time(interval, ttl) => {
                return Err(LockError::config(format!(
                    "renew is {interval:?}, and it must be shorter than {:?}, which is ttl less a margin of 1% and 2ms",
                    ttl.saturating_sub(margin(ttl))
                )));
            }
            Renew::Every(interval) => Some(interval),
        };
        let max_hold = match self.max_hold.unwrap_or(defaults.max_hold) {
            MaxHold::Unbounded => None,
            MaxHold::For(bound) if bound.is_zero() => {
                return Err(LockError::config("max_hold is zero, and it must be longer"));
            }
            MaxHold::For(bound) => Some(bound),
        };
        if renew.is_none() && self.max_hold.is_some() && max_hold.is_none_or(|bound| bound > ttl) {
            return Err(LockError::config(format!(
                "max_hold is longer than ttl, {ttl:?}, but without renewal the lock ends with its ttl"
            )));
        }
        Ok(Terms { ttl, wait: self.wait.unwrap_or(defaults.wait), renew, max_hold, fenced: !self.unfenced })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(overrides: Overrides) -> bool {
        matches!(overrides.resolve(&Defaults::default()), Err(LockError::Config { .. }))
    }

    #[test]
    fn an_explicit_ttl_never_switches_renewal_off() {
        let overrides = Overrides { ttl: Some(Duration::from_secs(3)), ..Overrides::default() };
        let terms = overrides.resolve(&Defaults::default()).expect("valid");
        assert_eq!(terms.renew, Some(Duration::from_secs(1)));
    }

    #[test]
    fn terms_are_the_same_whether_they_were_known_or_not() {
        let defaults = Defaults { ttl: Duration::from_secs(7), ..Defaults::default() };
        let usual = Overrides::default().resolve(&defaults).expect("valid");
        let waits = [None, Some(Wait::Forever), Some(Wait::For(Duration::ZERO))];
        for (wait, unfenced) in waits.into_iter().flat_map(|wait| [(wait, false), (wait, true)]) {
            let overrides = Overrides { wait, unfenced, ..Overrides::default() };
            assert_eq!(overrides.apply_to(&usual), overrides.resolve(&defaults).ok(), "{overrides:?}");
        }
        for more in [
            Overrides { ttl: Some(defaults.ttl), ..Overrides::default() },
            Overrides { renew: Some(Renew::Off), ..Overrides::default() },
            Overrides { max_hold: Some(MaxHold::Unbounded), ..Overrides::default() },
        ] {
            assert_eq!(more.apply_to(&usual), None, "{more:?}");
        }
    }

    #[test]
    fn a_healthy_lock_is_held_without_a_bound_unless_one_is_asked_for() {
        let terms = Overrides::default().resolve(&Defaults::default()).expect("valid");
        assert_eq!(terms.max_hold, None);
        let bound = MaxHold::For(Duration::from_secs(60));
        let terms =
            Overrides { max_hold: Some(bound), ..Overrides::default() }.resolve(&Defaults::default()).expect("valid");
        assert_eq!(terms.max_hold, Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_ttl_that_the_failover_guard_does_not_cover_is_refused_with_the_cure() {
        let defaults = Defaults { quarantine: Some(Duration::from_secs(11)), ..Defaults::default() };
        let resolve = |ttl| Overrides { ttl: Some(ttl), ..Overrides::default() }.resolve(&defaults);
        assert!(resolve(Duration::from_secs(10)).is_ok());
        let error = resolve(Duration::from_millis(10_001)).expect_err("too long");
        let said = error.to_string();
        assert!(
            error.is_config() && said.contains("covers 10s at most") && said.contains("failover_guard(11.001s)"),
            "{said}"
        );
    }

    #[test]
    fn times_that_cannot_work_are_refused() {
        let overrides = Overrides::default();
        assert!(!refused(overrides));
        assert!(refused(Overrides { ttl: Some(Duration::ZERO), ..overrides }));
        assert!(refused(Overrides { ttl: Some(Duration::MAX), ..overrides }));
        assert!(refused(Overrides { renew: Some(Renew::Every(Duration::ZERO)), ..overrides }));
        assert!(refused(Overrides { renew: Some(Renew::Every(Duration::from_secs(10))), ..overrides }));
        assert!(refused(Overrides { max_hold: Some(MaxHold::For(Duration::ZERO)), ..overrides }));
    }

    #[test]
    fn a_hold_beyond_the_ttl_without_renewal_is_a_contradiction() {
        let off = Overrides { renew: Some(Renew::Off), ..Overrides::default() };
        assert!(!refused(off), "the default bound is not the caller's wish");
        assert!(refused(Overrides { max_hold: Some(MaxHold::For(Duration::from_secs(11))), ..off }));
        assert!(refused(Overrides { max_hold: Some(MaxHold::Unbounded), ..off }));
        assert!(!refused(Overrides { max_hold: Some(MaxHold::For(Duration::from_secs(9))), ..off }));
    }
}
