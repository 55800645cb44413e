//! Where locks live, behind one trait: in a Redis server (`redis/`), or in this process (`embedded/`).
//!
//! The trait says what can be asked, in words that know nothing of scripts or connections; everything of Redis's own, the names
//! of helper keys and the Lua included, stays in `redis/`. It uses the rules of the protocol, and what is reported to operators. What
//! a process holds and the keeper use it.

mod command;
mod embedded;
mod notification;
mod permit;
mod redis;

use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

pub(crate) use self::{
    command::{AcquireCommand, AcquireReply, PriorGrant, QUEUE_ENTRY_TTL, ReleaseCommand, RenewCommand, RenewReply},
    embedded::Embedded,
    notification::{Notification, Subscriber},
    permit::Permit,
    redis::{Provider, RedisOptions, Seed, SentinelOptions, open},
};
pub(crate) use crate::types::store_error::{ErrorClass, StoreError, StoreUnusable};
use crate::{
    protocol::token::{Identity, LockId, Tag},
    types::holder::Holder,
};

/// A reply of the store that is under way. It owns what it needs, so that it can be handed to the keeper when its caller goes
/// away: a command that was written may still be carried out.
pub(crate) type Reply<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// The store of locks.
///
/// Every operation can be repeated: any reply can get lost, and a caller that got none sends the command again. The store does so
/// by itself, once, when an older connection turns out to be dead. Dropping a [`Reply`] leaves it open whether the operation
/// happens. The `reply_timeout` is how long a reply may take before the connection is to blame: a reply that is dropped later
/// than that takes its connection out of service.
pub(crate) trait Store: Send + Sync {
    /// Where it is now, for errors. It holds no secret.
    fn address(&self) -> Arc<str>;

    /// The same for the server that has the lock `name`, as far as is known.
    fn address_of(&self, _name: &str) -> Arc<str> {
        self.address()
    }

    /// What bounds the acquires and releases of locks such as `name` that are under way from where this is called; `None` if
    /// nothing does. Each takes a [`Permit`].
    fn bound(&self, _name: &str) -> Option<Arc<Semaphore>> {
        None
    }

    /// Over how many servers the locks are spread. Each gets its share of a batch of renewals.
    fn servers(&self) -> usize {
        1
    }

    /// Whether a lock may have to come back after a failover ([`PriorGrant`]), so that each has a fence, also where nobody looks at it.
    fn is_guarded(&self) -> bool {
        false
    }

    /// Checks that the store can be reached and can do all that locking needs, on the lock of `probe`, which nobody else
    /// uses. Warns of settings that endanger locks. Returns for how long the store grants nothing yet, if it is guarded.
    fn check(&self, probe: LockId, reply_timeout: Duration) -> Reply<Duration>;

    /// Asks for the lock. If the token holds it already, the reply is yes, with the same fences, and the lease starts anew.
    /// Else a command that waits has an entry in the queue from then on.
    fn acquire(&self, command: &Arc<AcquireCommand>, permit: Permit, reply_timeout: Duration) -> Reply<AcquireReply>;

    /// Renews leases, each with a reply of its own.
    fn renew(&self, renewals: Vec<RenewCommand>, reply_timeout: Duration)
    -> Reply<Vec<Result<RenewReply, StoreError>>>;

    /// Gives back whatever a token has, the lock or a queue entry. The lock goes to the first in the queue that is
    /// subscribed. False if the token does not hold the lock.
    fn release(&self, command: ReleaseCommand, permit: Permit, reply_timeout: Duration) -> Reply<bool>;

    /// Who holds the lock.
    fn inspect(&self, name: &Arc<str>, reply_timeout: Duration) -> Reply<Option<Holder>>;

    /// A notification brought fences of a lock up to this one. A store that can lose its data is told of them with the next command.
    fn note_fence(&self, _name: &str, _last: u64) {}

    /// Where this process is told of requests for the lock: it becomes a part of their tokens. It changes when the lock moves to
    /// another server, and nothing that is addressed to an earlier one arrives.
    fn tag(&self, _name: &str) -> Tag {
        Tag::default()
    }

    /// Whether notifications for that request arrive, as far as is known, while there is a subscription at all.
    fn hears(&self, _lock_id: &LockId) -> bool {
        true
    }

    /// Returns when the store moves to another place the next time, where what failed may succeed at once.
    fn moved(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(pending())
    }

    /// Passes the notifications for `identity` on to `subscriber`, until the subscription breaks.
    fn subscribe(
        &self,
        identity: Identity,
        subscriber: Arc<dyn Subscriber>,
        reply_timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>>;
}

/// The parts of the time for a reply, in quarters of it: see [`within`].
///
/// The longest comes first. A timer that is due before all others wakes the thread that waits for the next one, which then contends
/// with this one for the timers. A waiter's own timer is due within a quarter of a second (`acquire/backoff.rs`), and so mostly before
/// half of the usual time for a reply.
const PARTS: [u32; 3] = [2, 1, 1];

/// Awaits a reply of the store at `address` for at most `limit`.
///
/// # Errors
/// Those of the reply, and a timeout, after which the command may or may not have been carried out.
pub(crate) async fn within<T>(
    address: impl FnOnce() -> Arc<str>,
    limit: Duration,
    mut reply: impl Future<Output = Result<T, StoreError>> + Unpin,
) -> Result<T, StoreError> {
    // Time in which nothing could run here, as the executor was busy, is not the store's. So it is measured in parts, and a part that
    // took longer than it should counts as what it should have taken.
    for part in PARTS {
        if let Ok(reply) = timeout(limit / 4 * part, &mut reply).await {
            return reply;
        }
    }
    Err(StoreError::timed_out(&address(), limit))
}

#[cfg(all(test, not(dlock_simulation)))]
mod tests {
    use std::{future::Pending, pin::pin};

    use tokio::time::{Instant, advance};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    fn silent_store() -> impl Future<Output = Result<(), StoreError>> {
        let reply: Pending<Result<(), StoreError>> = pending();
        within(|| Arc::from("here"), LIMIT, reply)
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_is_awaited_as_long_as_it_may_take_and_no_longer() {
        let began = Instant::now();
        assert!(silent_store().await.is_err_and(|error| error.is_timeout()));
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_could_run_is_not_the_stores() {
        let mut reply = pin!(silent_store());
        assert!(timeout(Duration::ZERO, reply.as_mut()).await.is_err());
        advance(10 * LIMIT).await;
        let half = LIMIT / 2 - Duration::from_millis(1);
        assert!(timeout(half, reply.as_mut()).await.is_err(), "it is awaited for another half of its time");
        assert!(reply.await.is_err_and(|error| error.is_timeout()));
    }
}
