//! Where locks live, behind one trait.

mod embedded;
mod redis;

use std::{
    io,
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub(crate) use self::{embedded::Embedded, redis::Redis};
use crate::{
    error::{Cause, LockError},
    holder::Holder,
    key::LockKey,
};

/// A waiter that has not asked again for this long does not count as one any more. Far more than the longest pause
/// between two questions.
const WAITER_COUNTS: Duration = Duration::from_millis(500);

/// An answer of the store that is under way. It owns what it needs, so that it can be handed to the keeper when
/// its caller goes away: a request that was written may still be carried out.
pub(crate) type Reply<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// The store of locks.
///
/// Every operation can be repeated: any answer can get lost, and whoever got none asks again. Dropping a [`Reply`]
/// leaves it open whether the operation happens. The patience is how long an answer may take before the connection is
/// to blame: a reply that is dropped later than that takes its connection out of service.
pub(crate) trait Store: Send + Sync {
    /// Looks whether the store can be reached, and warns of settings that endanger locks.
    fn check(&self, patience: Duration) -> Reply<()>;

    /// Asks for the lock. With the token that holds it already the answer is yes, with the same fence, and the
    /// lease starts anew.
    fn acquire(&self, claim: &Arc<Claim>, patience: Duration) -> Reply<Answer>;

    /// Renews, each for itself: true if the token holds the lock and its lease starts anew with the given TTL.
    fn renew(&self, renewals: Vec<Renewal>, patience: Duration) -> Reply<Vec<Result<bool, StoreError>>>;

    /// Gives the lock back: false if the token does not hold it.
    fn release(&self, name: &Arc<str>, token: &Arc<str>, patience: Duration) -> Reply<bool>;

    /// Who holds the lock.
    fn inspect(&self, name: &Arc<str>, patience: Duration) -> Reply<Option<Holder>>;
}

/// A request for a lock.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) name: Arc<str>,
    pub(crate) token: Arc<str>,
    pub(crate) ttl: Duration,
    /// Host, process and function, for the record.
    pub(crate) who: String,
    /// Whether to count it among the waiters if the lock is taken.
    pub(crate) waits: bool,
    /// Set by the store once the request may have left: from then on it may be carried out at any time.
    pub(crate) sent: AtomicBool,
}

/// What the store says to a [`Claim`].
#[derive(Debug)]
pub(crate) enum Answer {
    Granted { fence: u64 },
    Busy(Holder),
}

#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    pub(crate) name: Arc<str>,
    pub(crate) token: Arc<str>,
    pub(crate) ttl: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) struct StoreError {
    pub(crate) fate: Fate,
    pub(crate) cause: Cause,
}

/// What became of a request that was not answered properly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It did not happen, and may well succeed soon.
    NotYet,
    /// It did not happen, and the store will not accept such requests for a while (memory, replicas, disk).
    Unfit,
    /// It did not happen, and never will: permissions, types, addresses.
    Refused,
    /// It may or may not have happened, or may happen yet.
    Unknown,
}

impl StoreError {
    pub(crate) fn new(fate: Fate, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { fate, cause: Arc::from(cause.into()) }
    }

    /// No answer came within `after`.
    pub(crate) fn timed_out(after: Duration) -> Self {
        let text = format!("no answer within {after:.1?}");
        Self::new(Fate::Unknown, io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// Whether it was this process that ran out of patience.
    pub(crate) fn is_timeout(&self) -> bool {
        self.cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    /// What the caller gets to see.
    pub(crate) fn about(self, key: &LockKey) -> LockError {
        self.told(|| format!("the store refuses to work on the lock `{key}`"))
    }

    /// The same where no lock is at issue.
    pub(crate) fn in_general(self) -> LockError {
        self.told(|| "the store refuses this client".to_owned())
    }

    fn told(self, refusal: impl FnOnce() -> String) -> LockError {
        match self.fate {
            Fate::Refused => LockError::Config { reason: refusal().into(), source: Some(self.cause) },
            Fate::NotYet | Fate::Unfit | Fate::Unknown => LockError::Unavailable { source: self.cause },
        }
    }
}
