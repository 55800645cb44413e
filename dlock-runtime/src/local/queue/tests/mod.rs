//! The local queues, step by step. That they hold in any order of steps is checked in `tests/gate`.

mod leases;
mod limits;
mod notifications;
mod order;
mod timeouts;

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::{notifications::REMEMBERED_LEASES, timeouts::GRACE, *};
use crate::{
    Runtime,
    local::{
        lease::Origin,
        pending::PendingRequest,
        turn::{Host, Obligation, Opening, Taker, Turn},
        verdict::Verdict,
    },
    protocol::{
        fences::Fences,
        grant::Grant,
        token::{Identity, LockId, Token},
    },
    store::AcquireCommand,
    types::{
        holder::Holder,
        options::{Defaults, Overrides},
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// Local queues, what dropped batons left to be released, and how often the keeper was woken.
struct Scene {
    queues: Arc<LocalQueues>,
    name: Arc<str>,
    released: Arc<Mutex<Vec<ToRelease>>>,
    wakeups: Arc<AtomicUsize>,
}

fn scene(rules: Rules) -> Scene {
    let (released, wakeups) = (Arc::<Mutex<Vec<ToRelease>>>::default(), Arc::<AtomicUsize>::default());
    let (store, keeper) = (Arc::clone(&released), Arc::clone(&wakeups));
    let call = move || _ = keeper.fetch_add(1, Ordering::SeqCst);
    Scene {
        queues: Arc::new(LocalQueues::new(rules, move |gone| lock(&store).push(gone), call)),
        name: "k".into(),
        released,
        wakeups,
    }
}

fn lingering() -> Rules {
    Rules { linger: SECOND, ..Rules::default() }
}

impl Scene {
    fn head(&self) -> Baton {
        match self.queues.enter(&self.name, BootTime::NEVER) {
            Entered::Head(baton) => baton,
            Entered::Queued(_) | Entered::Full => panic!("somebody is there"),
        }
    }

    fn queue(&self, until: BootTime) -> QueuedWaiter<'_> {
        match self.queues.enter(&self.name, until) {
            Entered::Queued(waiter) => waiter,
            Entered::Head(_) => panic!("nobody is there"),
            Entered::Full => panic!("there is no room"),
        }
    }

    fn is_full(&self) -> bool {
        matches!(self.queues.enter(&self.name, BootTime::NEVER), Entered::Full)
    }

    fn pending(&self, number: u64) -> Arc<PendingRequest> {
        let token = Token::new(Identity::random().expect("random numbers"), number);
        let command = AcquireCommand {
            lock_id: LockId { name: Arc::clone(&self.name), token },
            ttl: 10 * SECOND,
            fences: 1,
            who: String::new(),
            waits: true,
            is_contended: false,
            sent: AtomicBool::new(false),
            doubled: AtomicBool::new(false),
            since: AtomicU64::new(0),
        };
        Arc::new(PendingRequest::new(command, "k"))
    }

    /// The head asks, and gets a lease.
    fn head_with_lease(&self, number: u64) -> (Baton, Arc<Lease>) {
        let (mut baton, pending) = (self.head(), self.pending(number));
        baton.set_pending(Arc::clone(&pending));
        let lease = lease_of(&pending);
        baton.set_lease(Arc::clone(&lease));
        (baton, lease)
    }

    /// The numbers of the leases and requests that were left to be released.
    fn released(&self) -> Vec<u64> {
        let mut released = lock(&self.released);
        released.drain(..).map(|unneeded| number(&unneeded)).collect()
    }

    fn with_followers<T>(&self, read: impl FnOnce(&mut local_queue::Followers) -> T) -> T {
        let mut shard = self.queues.shard(&self.name);
        read(shard.queues.get_mut(&self.name).and_then(|queue| queue.followers.as_mut()).expect("somebody waits"))
    }

    /// The store says that somebody else holds the lock.
    fn record_busy_answer(&self, head: &Baton) {
        let verdict = Verdict::Busy(Holder::new(None, None, 7));
        let at = BootTime::now();
        head.record_answer(LastAnswer { verdict, at, until: at.after(60 * SECOND) });
    }

    fn is_empty(&self) -> bool {
        self.queues.shards.iter().all(|shard| lock(shard).queues.is_empty())
            && self.queues.waiters.load(Ordering::SeqCst) == 0
    }
}

fn lease_of(pending: &PendingRequest) -> Arc<Lease> {
    let grant = Grant { asked: BootTime::now(), ttl: pending.command.ttl };
    Arc::new(Lease::new(pending.command.lock_id.clone(), "k", Fences::new(1, 100), grant, false, Origin::default()))
}

fn number(unneeded: &ToRelease) -> u64 {
    match unneeded {
        ToRelease::Lease(lease) => lease.id(),
        ToRelease::Request(pending) => pending.command.lock_id.token.number,
    }
}

/// How the wait ended, if it has by now.
async fn ended(waiter: &mut QueuedWaiter<'_>) -> Option<WaitEnd> {
    tokio::time::timeout(Duration::ZERO, waiter.wait()).await.ok()
}

/// The baton, if it is there by now, or nothing if there is none to come.
async fn now(waiter: &mut QueuedWaiter<'_>) -> Option<Option<Baton>> {
    let baton = |pass| if let WaitEnd::Baton(baton) = pass { Some(baton) } else { None };
    ended(waiter).await.map(baton)
}
