//! The right to act for this process on one lock.

use std::ops::{Deref, DerefMut};

use super::{LastAnswer, LocalQueues, WaitEnd, local_queue::LocalQueue, waiter::Wakeups};
use crate::{
    local::{
        lease::{Lease, Yield},
        pending::PendingRequest,
        verdict::Verdict,
    },
    observe::caught::caught,
    sync::{Arc, oneshot},
    types::boot_time::BootTime,
};

/// The bounds of how many fences are reserved at once for a lease that many turns are to use.
const FEWEST_FENCES: u32 = 64;
const MOST_FENCES: u32 = 16_384;
// It stands in the entry of a waiter. One of more digits the store takes for nobody's, and passes it over (`hand_over.lua`).
const _: () = assert!(MOST_FENCES < 100_000);

/// The right of the head of a queue, or of a request that waits in none, with what the process has of the lock.
///
/// It goes through many hands in each turn, and is no more than a pointer for that.
pub(crate) struct Baton(Box<Right>);

/// What a baton is.
pub(crate) struct Right {
    queues: Arc<LocalQueues>,
    pub(super) name: Arc<str>,
    pub(super) in_queue: bool,
    pub(super) pending: Option<Arc<PendingRequest>>,
    pub(super) lease: Option<Arc<Lease>>,
    /// Whether the lock is to be free for a moment before this process asks for it again.
    pub(crate) frees_lock_first: bool,
}

/// What no task of this process needs any more, and the store must be told to release.
pub(crate) enum ToRelease {
    Lease(Arc<Lease>),
    Request(Arc<PendingRequest>),
}

impl Deref for Baton {
    type Target = Right;

    fn deref(&self) -> &Right {
        &self.0
    }
}

impl DerefMut for Baton {
    fn deref_mut(&mut self) -> &mut Right {
        &mut self.0
    }
}

impl Baton {
    pub(super) fn new(queues: &Arc<LocalQueues>, name: &Arc<str>, lease: Option<Arc<Lease>>) -> Self {
        let (queues, name) = (Arc::clone(queues), Arc::clone(name));
        Self(Box::new(Right { queues, name, in_queue: true, pending: None, lease, frees_lock_first: false }))
    }

    /// A baton of no queue.
    pub(super) fn unqueued(queues: &Arc<LocalQueues>, name: &Arc<str>) -> Self {
        let mut baton = Self::new(queues, name, None);
        baton.in_queue = false;
        baton
    }

    pub(crate) fn lease(&self) -> Option<&Arc<Lease>> {
        self.lease.as_ref()
    }

    pub(crate) fn pending(&self) -> Option<&Arc<PendingRequest>> {
        self.pending.as_ref()
    }

    /// How many turns the lease is expected to serve yet, and so how many fences to reserve for it: twice what the last one had,
    /// since a block that is much too large makes the store's fences run ahead of the time.
    pub(crate) fn turns_expected(&self) -> u32 {
        let so_far = self.lease.as_ref().map_or(0, |lease| lease.turns());
        if so_far == 0 && !(self.queues.rules.share.turns && self.has_followers()) {
            return 1;
        }
        let last = self.queues.shard(&self.name).queues.get(&self.name).map_or(0, |queue| queue.last_turns);
        last.max(so_far).saturating_mul(2).clamp(FEWEST_FENCES, MOST_FENCES)
    }

    /// Whether other tasks wait behind this one.
    pub(crate) fn has_followers(&self) -> bool {
        self.in_queue && self.queues.shard(&self.name).queues.get(&self.name).is_some_and(LocalQueue::has_followers)
    }

    /// The store's last answer about the lock, if that is not long ago.
    pub(crate) fn last_answer(&self) -> Option<LastAnswer> {
        if !self.in_queue {
            return None;
        }
        self.queues.shard(&self.name).queues.get(&self.name)?.last_answer(BootTime::now()).cloned()
    }

    /// Records an answer of the store, so that others need not ask.
    pub(crate) fn record_answer(&self, answer: LastAnswer) {
        if matches!(answer.verdict, Verdict::Busy(_)) {
            self.queues.note_contention(&self.name, answer.at);
        }
        self.queues.record_answer(&self.name, answer);
    }

    /// This request is put to the store from now on.
    pub(crate) fn set_pending(&mut self, pending: Arc<PendingRequest>) {
        self.with_queue(|queue| queue.pending = Some(Arc::clone(&pending)));
        self.pending = Some(pending);
    }

    /// The request became a lease. In one step, so that a late message finds the one or the other.
    pub(crate) fn set_lease(&mut self, lease: Arc<Lease>) {
        let pending = self.pending.take();
        if pending.as_ref().is_some_and(|pending| pending.was_queued()) {
            self.queues.remember_lease(&lease);
        }
        self.with_queue(|queue| {
            queue.pending = None;
            queue.lease = Some(Arc::clone(&lease));
            queue.clear_last_answer();
        });
        if pending.is_some_and(|pending| pending.is_contended()) {
            lease.mark_contended(BootTime::now());
        }
        if lease.is_contended() {
            self.queues.note_contention(&self.name, BootTime::now());
        }
        self.lease = Some(lease);
    }

    /// Takes out a lease that is of no use any more.
    pub(crate) fn remove_lease(&mut self) -> Option<Arc<Lease>> {
        let turns = self.lease.as_ref().map_or(0, |lease| lease.turns());
        self.with_queue(|queue| {
            queue.lease = None;
            queue.last_turns = turns;
        });
        self.lease.take()
    }

    /// Passes the baton on to the next task, with all that it has. If there is none, the lease is parked or the queue ends.
    #[must_use]
    pub(crate) fn pass_on(mut self, now: BootTime) -> Option<ToRelease> {
        let unusable = self.remove_unusable_lease(now);
        while let Some(next) = self.next(now) {
            // A task whose waker panics gets the baton nevertheless.
            match caught(|| next.send(WaitEnd::Baton(self))) {
                None | Some(Ok(())) => return unusable.map(ToRelease::Lease),
                // The task went away just now, and the baton comes back.
                Some(Err(WaitEnd::Baton(baton))) => self = baton,
                Some(Err(_)) => unreachable!("what comes back is what was sent"),
            }
        }
        self.in_queue = false;
        unusable.or(self.lease.take()).map(ToRelease::Lease).or(self.pending.take().map(ToRelease::Request))
    }

    /// Takes out the lease if it is of no use for another turn of this process.
    fn remove_unusable_lease(&mut self, now: BootTime) -> Option<Arc<Lease>> {
        let lease = self.lease.as_ref()?;
        let how = if self.in_queue { lease.must_yield(&self.queues.rules.share, now) } else { Yield::ToOthers };
        if how == Yield::No && now < lease.deadline() {
            return None;
        }
        self.frees_lock_first = how == Yield::ToAnybody;
        self.remove_lease()
    }

    /// Takes out the next waiter. If there is none, the lease is parked or the queue ends.
    fn next(&mut self, now: BootTime) -> Option<oneshot::Sender<WaitEnd>> {
        if !self.in_queue {
            return None;
        }
        let mut wakeups = Wakeups::default();
        let next = self.next_or_end(now, &mut wakeups);
        wakeups.send();
        next
    }

    fn next_or_end(&mut self, now: BootTime, wakeups: &mut Wakeups) -> Option<oneshot::Sender<WaitEnd>> {
        let mut shard = self.queues.shard(&self.name);
        let closing = shard.closing;
        let queue = shard.queues.get_mut(&self.name)?;
        if let Some(next) = queue.next(self.lease.is_some(), now, wakeups) {
            return Some(next);
        }
        let linger = self.queues.rules.linger;
        if self.lease.as_ref().is_some_and(|lease| !linger.is_zero() && !closing && !lease.is_contended()) {
            queue.parked = Some(now.after(linger));
            drop(shard);
            self.lease = None;
        } else {
            shard.queues.remove(&self.name);
        }
        None
    }

    fn with_queue(&self, change: impl FnOnce(&mut LocalQueue)) {
        if self.in_queue
            && let Some(queue) = self.queues.shard(&self.name).queues.get_mut(&self.name)
        {
            change(queue);
        }
    }
}

impl Drop for Baton {
    fn drop(&mut self) {
        if !self.in_queue && self.lease.is_none() && self.pending.is_none() {
            return;
        }
        let whole = Right {
            queues: Arc::clone(&self.queues),
            name: Arc::clone(&self.name),
            in_queue: std::mem::take(&mut self.in_queue),
            pending: self.pending.take(),
            lease: self.lease.take(),
            frees_lock_first: self.frees_lock_first,
        };
        if let Some(unneeded) = Self(Box::new(whole)).pass_on(BootTime::now()) {
            (self.queues.release)(unneeded);
        }
    }
}
