//! The store and the keeper, as the queues see them.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::{
    super::{Baton, LastAnswer, LocalQueue, TimedOut, ToRelease, WaitEnd, lock},
    world::{TTL, World},
};
use crate::{
    local::{
        lease::{Lease, Origin},
        pending::PendingRequest,
        verdict::Verdict,
    },
    protocol::{fences::Fences, grant::Grant, token::LockId},
    store::AcquireCommand,
    sync::{Arc, scheduled::is_weakened},
    types::{boot_time::BootTime, holder::Holder},
};

impl World {
    /// The head puts a request to the store, which queues it.
    pub(super) fn ask(&self, baton: &mut Baton) -> Arc<PendingRequest> {
        let (name, number) = (Arc::clone(&baton.name), self.book.begin("request"));
        let command = AcquireCommand {
            lock_id: self.lock_id(&name, number),
            ttl: TTL,
            fences: 1,
            who: String::new(),
            waits: true,
            is_contended: false,
            sent: AtomicBool::new(false),
            doubled: AtomicBool::new(false),
            since: AtomicU64::new(0),
        };
        let pending = Arc::new(PendingRequest::new(command, "k"));
        pending.record_sent(BootTime::now());
        pending.record_busy(BootTime::now(), 0);
        baton.set_pending(Arc::clone(&pending));
        self.spoil("a_request_is_not_known_in_its_queue", &name, |queue| queue.pending = None);
        pending
    }

    /// The store answers yes.
    pub(super) fn take(&self, baton: &mut Baton) {
        let pending = Arc::clone(baton.pending().expect("it asks"));
        let (lock_id, grant) = (pending.command.lock_id.clone(), Grant { asked: BootTime::now(), ttl: TTL });
        if is_weakened("a_request_becomes_a_lease_in_two_steps") {
            self.spoil("a_request_becomes_a_lease_in_two_steps", &lock_id.name, |queue| queue.pending = None);
            shuttle::thread::yield_now();
        }
        if is_weakened("a_lease_is_not_told_what_was_said_too_early") {
            baton.pending = None;
        }
        let lease = Arc::new(Lease::new(lock_id, "k", Fences::new(1, 100), grant, false, Origin::default()));
        self.book.become_a_lease(&lease);
        baton.set_lease(lease);
        if is_weakened("a_lease_that_was_given_back_is_forgotten") {
            lock(&self.queues.recent_leases).clear();
        }
    }

    /// The head gives its lease up.
    pub(super) fn remove_lease(&self, baton: &mut Baton) -> Arc<Lease> {
        let lease = baton.remove_lease().expect("there is one");
        self.spoil("a_lease_that_is_over_stays_in_its_queue", &lease.lock_id.name, |queue| {
            queue.lease = Some(Arc::clone(&lease));
        });
        self.book.leave(Some(ToRelease::Lease(Arc::clone(&lease))));
        lease
    }

    /// The store says that another client waits for the lock.
    pub(super) fn say_contended(&self, lock_id: &LockId) {
        self.spoil("a_lease_in_use_is_given_back_when_contended", &lock_id.name, park);
        let parked = self.queues.notify_contended(lock_id, BootTime::now());
        if !is_weakened("a_parked_lease_is_contended_in_vain") {
            self.book.leave(parked.map(ToRelease::Lease));
        }
    }

    /// The keeper gives a lease back that nobody has used for a while.
    pub(super) fn unpark(&self, lease: &Arc<Lease>) {
        self.spoil("a_lease_in_use_is_unparked", &lease.lock_id.name, park);
        if self.queues.parked_until(lease).is_some() {
            self.book.leave(self.queues.unpark(lease).map(ToRelease::Lease));
        }
    }

    /// The store answers somebody who does not get the lock.
    pub(super) fn record_answer(&self, name: &Arc<str>) {
        self.spoil("those_who_wait_for_an_answer_are_not_told", name, |queue| {
            queue.followers.iter_mut().for_each(|all| std::mem::forget(std::mem::take(&mut all.timed_out)));
        });
        let verdict = Verdict::Busy(Holder::new(None, None, 7));
        // It is not forgotten.
        self.queues.record_answer(name, LastAnswer { verdict, at: BootTime::START, until: BootTime::NEVER });
    }

    /// The keeper looks for those who are out of time.
    pub(super) fn expire_waiters(&self, name: &str, now: BootTime) {
        let everybody = is_weakened("a_timeout_check_sends_everybody_away");
        self.queues.expire_waiters(if everybody { BootTime::NEVER } else { now });
        self.spoil_shard("a_check_is_not_scheduled_again", name, |shard| shard.checks.clear());
        let mut asked = Vec::new();
        self.spoil("each_of_those_out_of_time_asks", name, |queue| {
            asked.extend(queue.followers.iter_mut().flat_map(|all| std::mem::take(&mut all.timed_out)));
        });
        asked.into_iter().for_each(|waiter| _ = waiter.end.send(WaitEnd::TimedOut(TimedOut::AskStore)));
    }

    /// The runtime shuts down. How many leases were parked.
    pub(super) fn shut_down(&self, name: &str) -> usize {
        self.spoil("those_in_queue_are_not_told_of_the_end", name, |queue| std::mem::forget(queue.followers.take()));
        self.book.page().is_over = true;
        let parked = self.queues.close();
        let count = parked.len();
        if !is_weakened("the_end_takes_no_lease_out") {
            parked.into_iter().for_each(|lease| self.book.leave(Some(ToRelease::Lease(lease))));
        }
        self.spoil_shard("somebody_joins_after_the_end", name, |shard| shard.closing = false);
        count
    }
}

fn park(queue: &mut LocalQueue) {
    queue.parked = Some(BootTime::NEVER);
}
