//! Where locks live, behind one trait.

mod embedded;
mod redis;

use std::{
    error::Error,
    fmt, io,
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub(crate) use self::{embedded::Embedded, redis::Redis};
use crate::{
    key::LockKey,
    protocol::{
        fences::Fences,
        token::{Identity, Ticket},
    },
    types::{
        error::{Cause, LockError},
        holder::Holder,
    },
};

/// A waiter that has not asked again for this long has gone. Far more than the longest pause between two questions.
pub(crate) const SEAT_COUNTS: Duration = Duration::from_secs(1);

/// An answer of the store that is under way. It owns what it needs, so that it can be handed to the keeper when
/// its caller goes away: a request that was written may still be carried out.
pub(crate) type Reply<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// The store of locks.
///
/// Every operation can be repeated: any answer can get lost, and whoever got none asks again. The store does so by itself,
/// once, when a connection from earlier turns out to be dead: it may have been idle. Dropping a [`Reply`]
/// leaves it open whether the operation happens. The patience is how long an answer may take before the connection is
/// to blame: a reply that is dropped later than that takes its connection out of service.
pub(crate) trait Store: Send + Sync {
    /// Where it is, for errors. No secret is in that.
    fn place(&self) -> &str;

    /// Looks whether the store can be reached and can do all that locking needs, on the lock of `probe`, which nobody
    /// else has; and warns of settings that endanger locks.
    fn check(&self, probe: Ticket, patience: Duration) -> Reply<()>;

    /// Asks for the lock. With the token that holds it already the answer is yes, with the same fences, and the
    /// lease starts anew. Who waits has a seat in the queue from then on.
    fn acquire(&self, claim: &Arc<Claim>, patience: Duration) -> Reply<Answer>;

    /// Renews, each for itself.
    fn renew(&self, renewals: Vec<Renewal>, patience: Duration) -> Reply<Vec<Result<Renewed, StoreError>>>;

    /// Gives back whatever a token has, the lock or a seat. The lock goes to the first in the queue who listens.
    /// False if the token does not hold the lock.
    fn release(&self, leaving: Leaving, patience: Duration) -> Reply<bool>;

    /// Who holds the lock.
    fn inspect(&self, name: &Arc<str>, patience: Duration) -> Reply<Option<Holder>>;

    /// Listens for what concerns `identity`, and tells `ears`, until the store cannot be heard any more.
    fn listen(
        &self,
        identity: Identity,
        ears: Arc<dyn Ears>,
        patience: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>>;
}

/// Who is told the [`News`]. Must not block.
pub(crate) trait Ears: Send + Sync {
    /// From now on nothing is missed; what happened before may have been.
    fn listening(&self);
    fn hear(&self, news: News);
}

/// What a store says without being asked. Any of it can get lost, or be late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The lock was given to the request of `ticket` at `since`, in µs by the store's clock, with the fences from `fence`
    /// on. `waiting` others wait.
    Granted { ticket: Ticket, fence: u64, waiting: u64, since: u64 },
    /// Somebody waits for the lock that `ticket` holds.
    Wanted { ticket: Ticket },
    /// The lock is free, and the request of `ticket` comes next.
    Free { ticket: Ticket },
}

/// A request for a lock.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) ticket: Ticket,
    pub(crate) ttl: Duration,
    /// How many fences to reserve.
    pub(crate) fences: u32,
    /// Host, process and function, for the record.
    pub(crate) who: String,
    /// Whether to queue if the lock is taken.
    pub(crate) waits: bool,
    /// Set by the store once the request may have left: from then on it may be carried out at any time.
    pub(crate) sent: AtomicBool,
    /// Set by the store when it asked once more because the connection broke: the first copy may be carried out late.
    pub(crate) doubled: AtomicBool,
}

/// What the store says to a [`Claim`].
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is the caller's, with the fences from `fence` on. `waiting` others wait.
    Granted { fence: u64, waiting: u64 },
    /// The lock was given away the last time at `floor`, in µs by the store's clock; 0 if that is not known.
    Busy { holder: Holder, floor: u64 },
}

/// A wish to go on holding.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    pub(crate) ticket: Ticket,
    pub(crate) ttl: Duration,
    /// Whether the lease may become shorter by that. Else it is only ever prolonged.
    pub(crate) shorten: bool,
    /// More fences, if any are needed, and whom they are for.
    pub(crate) more: Option<More>,
}

/// More fences for a lease.
#[derive(Clone, Debug)]
pub(crate) struct More {
    pub(crate) fences: u32,
    pub(crate) who: String,
}

/// What the store says to a [`Renewal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// The token does not hold the lock.
    No,
    /// The lease started anew.
    Yes,
    /// And there are fences from this one on.
    With(u64),
}

/// What is given back.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) ticket: Ticket,
    /// The block of fences, if the rest of it goes back.
    pub(crate) fences: Option<Fences>,
    /// The seat that it may have in the queue.
    pub(crate) seat: Option<Arc<Claim>>,
}

/// Awaits an answer of `store` for at most `limit`.
///
/// # Errors
/// Those of the answer, and a time-out, after which it is open whether the question was carried out.
pub(crate) async fn within<T>(
    store: &dyn Store,
    limit: Duration,
    reply: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, reply).await.unwrap_or_else(|_| Err(StoreError::timed_out(store, limit)))
}

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

    /// No answer of `store` came within `after`.
    pub(crate) fn timed_out(store: &dyn Store, after: Duration) -> Self {
        let text = format!("no answer from {} within {after:.1?}", store.place());
        Self::new(Fate::Unknown, io::Error::new(io::ErrorKind::TimedOut, text))
    }

    /// The answer of `store` took longer than what was asked for would last.
    pub(crate) fn too_slow(store: &dyn Store, took: Duration, ttl: Duration) -> Self {
        Self::new(Fate::Unknown, TooSlow { place: store.place().into(), took, ttl })
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
