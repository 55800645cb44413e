//! Tasks of one process that want the same lock wait in a local queue, first come, first served.
//!
//! The head of a queue has the [`Baton`]: the right to act for this process. Only its owner asks the store and uses the lease
//! that the process got. The baton goes from task to task, with the lease as long as that is good for another turn. So a
//! process is one waiter in the store however many of its tasks wait, and a turn costs no round trip.
//!
//! **Invariant:** while a queue exists, exactly one baton of it exists, or its lease is parked. A baton is passed on or dropped,
//! also by a future that was cancelled, and goes to the next task that still waits. What no task of this process needs any
//! more is [to be released](ToRelease).
//!
//! `local_queue` is one queue, `waiters` the tasks in it, each a `waiter`. `timeouts` ends the wait of those who are out of time,
//! `notifications` takes what the store says unasked, and `parking` keeps leases that are idle.

mod baton;
mod contention;
mod local_queue;
mod notifications;
mod parking;
mod timeouts;
mod wait;
mod waiter;
mod waiters;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    time::Duration,
};

pub(crate) use self::{
    baton::{Baton, ToRelease},
    local_queue::LastAnswer,
    wait::{Entered, QueuedWaiter, TimedOut, WaitEnd},
};
use self::{contention::Contention, local_queue::LocalQueue, waiter::Wakeups};
use crate::{
    local::lease::{Lease, Share},
    sync::{Arc, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, RandomState, lock},
    types::boot_time::BootTime,
};

/// With several shards, tasks that want different locks seldom wait for each other here.
/// On the scheduler of `tests/gate` few: where there are fewer steps, the orders that are tried tell more.
const SHARDS: usize = if cfg!(dlock_shuttle) { 2 } else { 16 };

/// The local queues of one runtime, by the names of the locks.
pub(crate) struct LocalQueues {
    shards: [Mutex<Shard>; SHARDS],
    contention: Contention,
    rules: Rules,
    /// The last leases that came out of the store's queue. See [`LocalQueues::remember_lease`].
    recent_leases: Mutex<VecDeque<notifications::RecentLease>>,
    /// How many tasks wait.
    waiters: AtomicUsize,
    /// When the next waiter may time out.
    next_timeout: AtomicU64,
    /// Called with what a dropped baton leaves behind.
    release: Box<dyn Fn(ToRelease) + Send + Sync>,
    /// Called when `next_timeout` comes earlier than it was.
    wake_keeper: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Shard {
    queues: HashMap<Arc<str>, LocalQueue, RandomState>,
    /// When to look for timeouts in which queue. An entry is out of date if its queue has ended or has another time by now.
    checks: BinaryHeap<Reverse<(BootTime, Arc<str>)>>,
    /// Set at shutdown: nobody waits and no lease is parked any more.
    closing: bool,
}

/// The settings of the local queues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) share: Share,
    /// How long an idle lease is kept.
    pub(crate) linger: Duration,
    pub(crate) waiters_per_key: usize,
    pub(crate) waiters: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { share: Share::default(), linger: Duration::ZERO, waiters_per_key: 10_000, waiters: 100_000 }
    }
}

impl LocalQueues {
    pub(crate) fn new(
        rules: Rules,
        release: impl Fn(ToRelease) + Send + Sync + 'static,
        wake_keeper: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            contention: Contention::default(),
            rules,
            recent_leases: Mutex::default(),
            waiters: AtomicUsize::new(0),
            next_timeout: AtomicU64::new(BootTime::NEVER.to_bits()),
            release: Box::new(release),
            wake_keeper: Box::new(wake_keeper),
        }
    }

    /// How long an idle lease is kept.
    pub(crate) fn linger(&self) -> Duration {
        self.rules.linger
    }

    /// Enters the queue for the lock `name`, to wait there at most until `until`.
    pub(crate) fn enter<'a>(self: &'a Arc<Self>, name: &Arc<str>, until: BootTime) -> Entered<'a> {
        // Declared before the lock is taken, so that it is dropped after it: dropping a waiter runs code of users.
        let mut wakeups = Wakeups::default();
        let mut shard = self.shard(name);
        if shard.closing {
            return Entered::Head(Baton::unqueued(self, name));
        }
        let shard_now = &mut *shard;
        let Some(queue) = shard_now.queues.get_mut(name) else {
            shard_now.queues.insert(Arc::clone(name), LocalQueue::default());
            return Entered::Head(Baton::new(self, name, None));
        };
        if queue.parked.take().is_some() {
            return Entered::Head(Baton::new(self, name, queue.lease.clone()));
        }
        if queue.waiting() >= self.rules.waiters_per_key
            && let Some(followers) = &mut queue.followers
        {
            followers.waiters.sweep(&mut wakeups);
        }
        if queue.waiting() >= self.rules.waiters_per_key || !self.try_count_waiter() {
            return Entered::Full;
        }
        let end = queue.push(until, &mut wakeups);
        let is_earlier = queue.schedule_check(until);
        if is_earlier {
            shard_now.schedule_check(name, until);
        }
        drop(shard);
        wakeups.send();
        if is_earlier {
            self.announce_timeout(until);
        }
        Entered::Queued(QueuedWaiter::new(self, end))
    }

    /// Enters the queue if no task of this process has or wants the lock. A parked lease is used.
    pub(crate) fn enter_if_idle(self: &Arc<Self>, name: &Arc<str>) -> Option<Baton> {
        let is_busy = self.shard(name).queues.get(name).is_some_and(|queue| queue.parked.is_none());
        if is_busy {
            return None;
        }
        match self.enter(name, BootTime::START) {
            Entered::Head(baton) => Some(baton),
            // Another task entered between the two looks.
            Entered::Queued(_) | Entered::Full => None,
        }
    }

    /// A baton of no queue, for a request that does not wait. Its lease is used for one turn.
    pub(crate) fn unqueued_baton(self: &Arc<Self>, name: &Arc<str>) -> Baton {
        Baton::unqueued(self, name)
    }

    /// How many tasks wait behind the head.
    pub(crate) fn waiting(&self, name: &str) -> usize {
        let shard = self.shard(name);
        let followers = shard.queues.get(name).and_then(|queue| queue.followers.as_ref());
        followers.map_or(0, |followers| followers.waiters.present().count())
    }

    /// The lease on which a turn of this process is under way.
    pub(crate) fn held_here(&self, name: &str, now: BootTime) -> Option<Arc<Lease>> {
        let shard = self.shard(name);
        let lease = shard.queues.get(name)?.lease.as_ref().filter(|lease| lease.is_in_use(now));
        lease.cloned()
    }

    /// Records an answer of the store to somebody who did not get the lock.
    pub(crate) fn record_answer(&self, name: &str, answer: LastAnswer) {
        let mut wakeups = Wakeups::default();
        if let Some(queue) = self.shard(name).queues.get_mut(name) {
            queue.record_answer(answer, &mut wakeups);
        }
        wakeups.send();
    }

    /// Somebody else has or wants the lock `name`.
    fn note_contention(&self, name: &str, now: BootTime) {
        self.contention.note(spread(name) >> 32, now);
    }

    /// Whether somebody else was known to have or want the lock not long ago.
    pub(crate) fn was_contended(&self, name: &str, now: BootTime) -> bool {
        self.contention.is_known(spread(name) >> 32, now)
    }

    /// Counts one more waiter, unless there are too many.
    fn try_count_waiter(&self) -> bool {
        let in_bounds = self.waiters.fetch_add(1, Ordering::Relaxed) < self.rules.waiters;
        if !in_bounds {
            self.waiters.fetch_sub(1, Ordering::Relaxed);
        }
        in_bounds
    }

    fn shard(&self, name: &str) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard_of(name)])
    }
}

fn shard_of(name: &str) -> usize {
    // The upper bits depend on all of it.
    (spread(name) >> 32) as usize % SHARDS
}

/// A cheap hash of the whole name, since names may differ anywhere. It only has to spread names; the maps have a hash of their own,
/// which an attacker cannot foresee.
fn spread(name: &str) -> u64 {
    let mix = |mix: u64, part: u64| (mix.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mixed = words.iter().fold(name.len() as u64, |mixed, word| mix(mixed, u64::from_le_bytes(*word)));
    rest.iter().fold(mixed, |mixed, &byte| mix(mixed, byte.into()))
}

/// What tasks do with the queues on a scheduler that tries many orders, and what must hold.
#[cfg(dlock_shuttle)]
#[path = "../../../../tests/gate/src/mod.rs"]
pub mod orders;

#[cfg(test)]
mod tests;
