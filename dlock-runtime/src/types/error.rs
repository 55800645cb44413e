//! The errors of the interface. "Somebody else holds it", "we lost it" and "the store does not answer" are never the same error.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use crate::{key::LockKey, types::holder::Holder};

/// A cause, kept so that it can be read and downcast.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// Why a lock could not be taken, or was not kept.
///
/// Cheap to clone and to move. It never holds an owner token, a URL or a password. Its text does not repeat its
/// [`source`](Error::source): print the whole chain, as `anyhow` does with `{:#}`, to see what the store said.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else holds the lock and did not release it within the caller's wait.
    #[non_exhaustive]
    Busy {
        /// The lock.
        key: LockKey,
        /// How long the caller waited.
        waited: Duration,
        /// Who held it when the caller gave up, if that is known.
        holder: Option<Holder>,
    },
    /// The lock was held and then lost. Whatever the holder did after the loss was not protected.
    #[non_exhaustive]
    Lost {
        /// The lock.
        key: LockKey,
        /// How long it was held before the loss was noticed.
        held_for: Duration,
        /// The fence of the lost hold. Resources that saw a higher one refuse it.
        fence: u64,
        /// Why it was lost.
        reason: LostReason,
    },
    /// The store could not be reached or did not answer within the caller's wait. The caller does not hold the lock;
    /// whether somebody else does is not known.
    #[non_exhaustive]
    Unavailable {
        /// The lock, if the error is about one.
        key: Option<LockKey>,
        /// The last error of the store or of the connection to it.
        source: Cause,
    },
    /// The key is empty, too long, or contains what a key must not contain.
    #[non_exhaustive]
    InvalidKey {
        /// The key.
        key: LockKey,
        /// What is wrong with it.
        reason: Cow<'static, str>,
    },
    /// The calling task already holds this lock and does not want to join its own hold (`reentrant = false`): it would
    /// wait for itself.
    #[non_exhaustive]
    WouldDeadlock {
        /// The lock.
        key: LockKey,
    },
    /// No runtime is installed: call `Runtime::builder()...install().await` when the program starts.
    NotInstalled,
    /// The runtime was shut down and takes no more locks.
    ShutDown,
    /// A mistake in the set-up: an option out of range, a URL that does not parse, a permission that the Redis user lacks,
    /// a key that holds something other than a lock. Trying again does not help.
    #[non_exhaustive]
    Config {
        /// What is wrong.
        reason: Arc<str>,
        /// The store's error, if the store refused.
        source: Option<Cause>,
    },
}

/// Why a lock was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LostReason {
    /// The deadline passed before a renewal succeeded: the store could not be reached, this process was stopped or
    /// starved, or renewal was off.
    Expired,
    /// The deadline passed, and the TTL is too short for this store: a round trip took longer than a renewal may take.
    #[non_exhaustive]
    TooSlow {
        /// The time from the request for the lock to its answer, in milliseconds.
        round_trip_ms: u32,
        /// The TTL that was asked for, in milliseconds.
        ttl_ms: u32,
    },
    /// The store says that this holder no longer has the lock: somebody deleted or overwrote the key, or the store lost
    /// its data.
    Gone,
    /// The lock was held for as long as `max_hold` allows.
    MaxHold,
    /// The key was overwritten by something that is not a lock.
    Refused,
}

impl LostReason {
    /// The name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::TooSlow { .. } => "too_slow",
            Self::Gone => "gone",
            Self::MaxHold => "max_hold",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for LostReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSlow { round_trip_ms, ttl_ms } => {
                return write!(
                    f,
                    "its TTL of {ttl_ms} ms is too short for a round trip of {round_trip_ms} ms to the store"
                );
            }
            Self::Expired => "its time was over before a renewal succeeded",
            Self::Gone => "the store says that somebody else has it or that it was deleted",
            Self::MaxHold => "it was held for as long as max_hold allows",
            Self::Refused => "its key was overwritten by something that is not a lock",
        })
    }
}

impl LockError {
    /// Whether this is [`Busy`](Self::Busy): somebody else holds the lock.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Whether this is [`Lost`](Self::Lost): the lock was held and then lost.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether this is [`Unavailable`](Self::Unavailable): the store did not answer. A later attempt may succeed.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether this is [`ShutDown`](Self::ShutDown): this runtime takes no more locks.
    pub fn is_shut_down(&self) -> bool {
        matches!(self, Self::ShutDown)
    }

    /// Whether this is a mistake in the set-up ([`Config`](Self::Config), [`NotInstalled`](Self::NotInstalled) or
    /// [`InvalidKey`](Self::InvalidKey)), so that trying again does not help.
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Config { .. } | Self::NotInstalled | Self::InvalidKey { .. })
    }

    /// The key of the lock, if the error is about one.
    pub fn key(&self) -> Option<&LockKey> {
        match self {
            Self::Busy { key, .. }
            | Self::Lost { key, .. }
            | Self::InvalidKey { key, .. }
            | Self::WouldDeadlock { key } => Some(key),
            Self::Unavailable { key, .. } => key.as_ref(),
            Self::NotInstalled | Self::ShutDown | Self::Config { .. } => None,
        }
    }

    pub(crate) fn config(reason: impl Into<Arc<str>>) -> Self {
        Self::Config { reason: reason.into(), source: None }
    }

    /// Of a key that is not fit for use.
    pub(crate) fn invalid_key(key: &LockKey, reason: Cow<'static, str>) -> Self {
        Self::InvalidKey { key: key.clone(), reason }
    }

    /// The store cannot be asked, whatever the lock.
    pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { key: None, source: Arc::from(cause.into()) }
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Who holds it is for operators: this text may go to clients over HTTP.
            Self::Busy { key, waited, .. } => write!(f, "lock `{key}` is held by somebody else; waited {waited:.1?}"),
            Self::Lost { key, held_for, fence, reason } => {
                write!(f, "lock `{key}` was lost after {held_for:.1?} (fence {fence}): {reason}")
            }
            Self::Unavailable { key: Some(key), .. } => write!(f, "lock `{key}`: the lock store cannot be asked"),
            Self::Unavailable { key: None, .. } => f.write_str("the lock store cannot be asked"),
            Self::InvalidKey { key, reason } => {
                write!(f, "lock key {:?}, made from `{}`, is invalid: {reason}", key.to_string(), key.label())
            }
            Self::WouldDeadlock { key } => {
                write!(f, "lock `{key}` is already held by this task, which asked not to join its own hold")
            }
            Self::NotInstalled => f.write_str(
                "no lock runtime is installed; call `Runtime::builder()...install().await` when the program starts",
            ),
            Self::ShutDown => f.write_str("the lock runtime was shut down"),
            Self::Config { reason, .. } => write!(f, "lock configuration: {reason}"),
        }
    }
}

impl Error for LockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable { source, .. } | Self::Config { source: Some(source), .. } => Some(&**source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_cheap_to_move() {
        assert!(size_of::<LockError>() <= 96, "{}", size_of::<LockError>());
    }

    #[test]
    fn the_cause_can_be_read_and_downcast() {
        let error = LockError::unavailable(std::io::Error::other("connection reset"));
        let source = error.source().expect("kept");
        assert!(source.downcast_ref::<std::io::Error>().is_some());
    }

    #[test]
    fn no_error_repeats_its_source() {
        let cause = || -> Cause { Arc::new(std::io::Error::other("connection reset")) };
        let key = LockKey::from("k");
        let refused = LockError::Config { reason: "may not".into(), source: Some(cause()) };
        for error in [
            LockError::Unavailable { key: None, source: cause() },
            LockError::Unavailable { key: Some(key), source: cause() },
            refused,
        ] {
            assert!(error.source().is_some_and(|source| source.to_string() == "connection reset"));
            assert!(!error.to_string().contains("connection reset"), "{error}");
        }
    }

    #[test]
    fn an_unavailable_store_names_the_lock_and_a_runtime_that_was_shut_down_is_none() {
        let error = LockError::Unavailable { key: Some("k".into()), source: Arc::new(std::io::Error::other("reset")) };
        assert!(error.to_string().contains("`k`") && error.key().is_some(), "{error}");
        let error = LockError::ShutDown;
        assert!(error.is_shut_down() && !error.is_unavailable() && !error.is_config(), "{error}");
    }
    #[test]
    fn busy_tells_clients_nothing_of_who_holds_the_lock_and_operators_everything() {
        let record = crate::types::holder::Record {
            fence: 1,
            since: std::time::SystemTime::UNIX_EPOCH,
            who: "web-7 pid 4242 deduct stock:<id>".to_owned(),
        };
        let holder = Holder::new(Some(record), None, 0);
        let error = LockError::Busy { key: "stock:42".into(), waited: Duration::from_secs(3), holder: Some(holder) };
        assert_eq!(error.to_string(), "lock `stock:42` is held by somebody else; waited 3.0s");
        assert!(format!("{error:?}").contains("web-7 pid 4242 deduct"), "{error:?}");
    }
}
