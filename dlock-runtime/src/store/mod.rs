//! Where locks live, behind one trait: in a Redis server (`redis/`), or in this process (`embedded/`).
//!
//! The trait says what can be asked, in words that know nothing of scripts or connections; everything of Redis's own, the names
//! of helper keys and the Lua included, stays in `redis/`. It uses the rules of the protocol, and what is told to operators. What
//! a process holds and the keeper use it.

mod embedded;
mod notification;
mod redis;

use std::{
    pin::Pin,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub(crate) use self::{
    embedded::Embedded,
    notification::{Notification, Subscriber},
    redis::Redis,
};
pub(crate) use crate::types::store_error::{Fate, Hindrance, StoreError};
use crate::{
    protocol::{
        fences::Fences,
        token::{Identity, Ticket},
    },
    types::holder::Holder,
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
/// leaves it open whether the operation happens. The reply_timeout is how long an answer may take before the connection is
/// to blame: a reply that is dropped later than that takes its connection out of service.
pub(crate) trait Store: Send + Sync {
    /// Where it is, for errors. No secret is in that.
    fn place(&self) -> &str;

    /// Looks whether the store can be reached and can do all that locking needs, on the lock of `probe`, which nobody
    /// else has; and warns of settings that endanger locks.
    fn check(&self, probe: Ticket, reply_timeout: Duration) -> Reply<()>;

    /// Asks for the lock. With the token that holds it already the answer is yes, with the same fences, and the
    /// lease starts anew. Who waits has a seat in the queue from then on.
    fn acquire(&self, claim: &Arc<Claim>, reply_timeout: Duration) -> Reply<Answer>;

    /// Renews, each for itself.
    fn renew(&self, renewals: Vec<Renewal>, reply_timeout: Duration) -> Reply<Vec<Result<Renewed, StoreError>>>;

    /// Gives back whatever a token has, the lock or a seat. The lock goes to the first in the queue who listens.
    /// False if the token does not hold the lock.
    fn release(&self, leaving: Leaving, reply_timeout: Duration) -> Reply<bool>;

    /// Who holds the lock.
    fn inspect(&self, name: &Arc<str>, reply_timeout: Duration) -> Reply<Option<Holder>>;

    /// Passes the notifications for `identity` on to `subscriber`, until the subscription breaks.
    fn subscribe(
        &self,
        identity: Identity,
        subscriber: Arc<dyn Subscriber>,
        reply_timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>>;
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
    tokio::time::timeout(limit, reply).await.unwrap_or_else(|_| Err(StoreError::timed_out(store.place(), limit)))
}
