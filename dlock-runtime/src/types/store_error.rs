//! Why the store did not answer, and what that says of the request.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use crate::{
    key::LockKey,
    types::error::{Cause, LockError},
};

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct StoreError {
    pub(crate) fate: Fate,
    pub(crate) cause: Cause,
}

/// What makes locking impossible in this store, as far as that is known, and how the store said so.
#[derive(Debug)]
pub(crate) struct Hindrance {
    pub(crate) reason: Arc<str>,
    pub(crate) source: Cause,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Hindrance {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// A round trip that is longer than the TTL: such a lock cannot be had.
#[derive(Debug)]
struct TooSlow {
    place: Box<str>,
    took: Duration,
    ttl: Duration,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, took, ttl } = self;
        write!(f, "the TTL of {ttl:.1?} is shorter than a round trip to {place}, which took {took:.1?}")
    }
}

impl Error for TooSlow {}

/// What became of a request that was not answered properly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It did not happen, and may well succeed soon.
    NotYet,
    /// It did not happen, and the store will not accept such requests for a while (memory, replicas, disk).
    Unfit,
    /// It did not happen, and never will: permissions, arguments, addresses.
    Refused,
    /// It did not happen: the key holds something that is no lock.
    WrongType,
    /// It may or may not have happened, or may happen yet.
    Unknown,
}

impl StoreError {
    pub(crate) fn new(fate: Fate, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { fate, cause: Arc::from(cause.into()) }
    }

    /// No answer of the store at `place` came within `after`.
    pub(crate) fn timed_out(place: &str, after: Duration) -> Self {
        let text = format!("no answer from {place} within {after:.1?}");
        Self::new(Fate::Unknown, io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// The answer of the store at `place` took longer than what was asked for would last.
    pub(crate) fn too_slow(place: &str, took: Duration, ttl: Duration) -> Self {
        Self::new(Fate::Unknown, TooSlow { place: place.into(), took, ttl })
    }

    pub(crate) fn is_too_slow(&self) -> bool {
        self.cause.is::<TooSlow>()
    }

    /// The same error, if more is known of the request.
    pub(crate) fn with(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    /// Whether the store is in trouble, and not this request alone.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self.fate, Fate::NotYet | Fate::Unfit | Fate::Unknown)
    }

    /// Whether it was this process that ran out of patience.
    pub(crate) fn is_timeout(&self) -> bool {
        self.cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// What the caller gets to see.
    pub(crate) fn about(self, key: &LockKey) -> LockError {
        match self.fate {
            Fate::Refused => {
                let reason = format!("the store refuses to work on the lock `{key}`").into();
                LockError::Config { reason, source: Some(self.cause) }
            }
            Fate::WrongType => {
                let reason = format!("the key of the lock `{key}` holds something that is no lock").into();
                LockError::Config { reason, source: Some(self.cause) }
            }
            Fate::NotYet | Fate::Unfit | Fate::Unknown => {
                LockError::Unavailable { key: Some(key.clone()), source: self.cause }
            }
        }
    }

    /// The same where no lock is at issue.
    pub(crate) fn in_general(self) -> LockError {
        if let Some(Hindrance { reason, source }) = self.cause.downcast_ref() {
            return LockError::Config { reason: Arc::clone(reason), source: Some(Arc::clone(source)) };
        }
        match self.fate {
            Fate::Refused | Fate::WrongType => {
                LockError::Config { reason: "the store refuses this client".into(), source: Some(self.cause) }
            }
            Fate::NotYet | Fate::Unfit | Fate::Unknown => LockError::Unavailable { key: None, source: self.cause },
        }
    }
}
