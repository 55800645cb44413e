//! Why the store did not reply properly, and what that says of the command.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use crate::{
    key::LockKey,
    types::error::{Cause, LockError},
};

/// Why there is no proper reply.
#[derive(Clone, Debug)]
pub(crate) struct StoreError {
    pub(crate) class: ErrorClass,
    pub(crate) cause: Cause,
}

/// What makes locking impossible in this store, as far as that is known, and how the store said so.
#[derive(Debug)]
pub(crate) struct StoreUnusable {
    pub(crate) reason: Arc<str>,
    pub(crate) source: Cause,
}

impl fmt::Display for StoreUnusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for StoreUnusable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// A round trip that is longer than the TTL: such a lock cannot be had.
#[derive(Debug)]
struct TooSlow {
    address: Box<str>,
    took: Duration,
    ttl: Duration,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, took, ttl } = self;
        write!(f, "the TTL of {ttl:.1?} is shorter than a round trip to {address}, which took {took:.1?}")
    }
}

impl Error for TooSlow {}

/// What became of a command that got no proper reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// It was not carried out, and may well succeed soon.
    Transient,
    /// It was not carried out, and the store will not accept such commands for a while (memory, replicas, disk).
    Rejected,
    /// It was not carried out and never will be: permissions, arguments, addresses.
    Permanent,
    /// It was not carried out: the key holds something that is no lock.
    WrongType,
    /// It may or may not have been carried out, or may be yet.
    Indeterminate,
}

impl StoreError {
    pub(crate) fn new(class: ErrorClass, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { class, cause: Arc::from(cause.into()) }
    }

    /// No answer of the store at `address` came within `after`.
    pub(crate) fn timed_out(address: &str, after: Duration) -> Self {
        let text = format!("no answer from {address} within {after:.1?}");
        Self::new(ErrorClass::Indeterminate, io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// The answer of the store at `address` took longer than what was asked for would last.
    pub(crate) fn too_slow(address: &str, took: Duration, ttl: Duration) -> Self {
        Self::new(ErrorClass::Indeterminate, TooSlow { address: address.into(), took, ttl })
    }

    pub(crate) fn is_too_slow(&self) -> bool {
        self.cause.is::<TooSlow>()
    }

    /// The same error, if more is known of the request.
    pub(crate) fn with_class(self, class: ErrorClass) -> Self {
        Self { class, ..self }
    }

    /// Whether the store is in trouble, and not this request alone.
    pub(crate) fn is_trouble(&self) -> bool {
        matches!(self.class, ErrorClass::Transient | ErrorClass::Rejected | ErrorClass::Indeterminate)
    }

    /// The request could not be sent to the store at `address` within `after`, as too many others were under way.
    pub(crate) fn overloaded(address: &str, after: Duration) -> Self {
        let text = format!("not sent to {address} within {after:.1?}: too many requests are under way");
        Self::new(ErrorClass::Transient, io::Error::new(io::ErrorKind::ResourceBusy, text))
    }

    /// Whether there were too many requests for this one to be sent.
    pub(crate) fn is_overload(&self) -> bool {
        self.cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
    }

    /// Whether it was this process that stopped waiting.
    pub(crate) fn is_timeout(&self) -> bool {
        self.cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// What the caller gets to see.
    pub(crate) fn about(self, key: &LockKey) -> LockError {
        match self.class {
            ErrorClass::Permanent => {
                let reason = format!("the store refuses to work on the lock `{key}`").into();
                LockError::Config { reason, source: Some(self.cause) }
            }
            ErrorClass::WrongType => {
                let reason = format!("the key of the lock `{key}` holds something that is no lock").into();
                LockError::Config { reason, source: Some(self.cause) }
            }
            ErrorClass::Transient | ErrorClass::Rejected | ErrorClass::Indeterminate => {
                LockError::Unavailable { key: Some(key.clone()), source: self.cause }
            }
        }
    }

    /// The same where no lock is at issue.
    pub(crate) fn in_general(self) -> LockError {
        if let Some(StoreUnusable { reason, source }) = self.cause.downcast_ref() {
            return LockError::Config { reason: Arc::clone(reason), source: Some(Arc::clone(source)) };
        }
        match self.class {
            ErrorClass::Permanent | ErrorClass::WrongType => {
                LockError::Config { reason: "the store refuses this client".into(), source: Some(self.cause) }
            }
            ErrorClass::Transient | ErrorClass::Rejected | ErrorClass::Indeterminate => {
                LockError::Unavailable { key: None, source: self.cause }
            }
        }
    }
}
