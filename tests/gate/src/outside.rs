//! The store and the keeper, as the queues see them.

use super::*;

impl World {
    /// The head puts a request to the store, which queues it.
    pub(super) fn ask(&self, baton: &mut Baton) -> Arc<PendingRequest> {
        let command = AcquireCommand {
            lock_id: self.lock_id(&baton.name, self.book.begin_request()),
            ttl: TTL,
            fences: 1,
            who: String::new(),
            waits: true,
            is_contended: false,
            sent: atomic::AtomicBool::new(false),
            doubled: atomic::AtomicBool::new(false),
            since: atomic::AtomicU64::new(0),
        };
        let pending = Arc::new(PendingRequest::new(command, "k"));
        pending.record_sent(BootTime::now());
        pending.record_busy(BootTime::now(), 0);
        baton.set_pending(Arc::clone(&pending));
        self.spoil("a_request_is_not_known_in_its_queue", &baton.name, |queue| queue.pending = None);
        pending
    }

    /// The store answers yes.
    pub(super) fn take(&self, baton: &mut Baton) {
        let lock_id = baton.pending().expect("it asks").command.lock_id.clone();
        self.spoil("a_request_becomes_a_lease_in_two_steps", &baton.name, |queue| queue.pending = None);
        if is_weakened("a_lease_is_not_told_what_was_said_too_early") {
            baton.pending = None;
        }
        self.book.become_a_lease(lock_id.token.number);
        let grant = Grant { asked: BootTime::now(), ttl: TTL };
        baton.set_lease(Arc::new(Lease::new(lock_id, "k", Fences::new(1, 100), grant, false, Origin::default())));
        if is_weakened("a_lease_that_was_given_back_is_forgotten") {
            lock(&self.queues.recent_leases).clear();
        }
    }

    /// The store says that another client waits for the lock.
    pub(super) fn say_contended(&self, lock_id: &LockId) {
        self.spoil("a_lease_in_use_is_given_back_when_contended", &lock_id.name, park);
        let parked = self.queues.notify_contended(lock_id, BootTime::now());
        self.release(parked.filter(|_| !is_weakened("a_parked_lease_is_contended_in_vain")));
    }

    /// The keeper gives the leases back that nobody has used for a while.
    pub(super) fn unpark(&self) {
        let leases = self.book.page().leases.clone();
        for lease in leases {
            self.spoil("a_lease_in_use_is_unparked", &lease.lock_id.name, park);
            self.release(self.queues.unpark(&lease));
        }
    }

    pub(super) fn release(&self, leases: impl IntoIterator<Item = Arc<Lease>>) {
        leases.into_iter().for_each(|lease| self.book.release(ToRelease::Lease(lease)));
    }

    /// The store answers somebody who does not get the lock.
    pub(super) fn record_answer(&self) {
        self.spoil("those_who_wait_for_an_answer_are_not_told", &self.name, |queue| {
            queue.followers.iter_mut().for_each(|all| forget(take(&mut all.timed_out)));
        });
        let verdict = Verdict::Busy(Holder::new(None, None, 7));
        // It is not forgotten.
        self.queues.record_answer(&self.name, LastAnswer { verdict, at: BootTime::START, until: BootTime::NEVER });
    }

    /// The keeper looks for those who are out of time.
    pub(super) fn expire_waiters(&self, now: BootTime) {
        let everybody = is_weakened("a_timeout_check_sends_everybody_away");
        self.queues.expire_waiters(if everybody { BootTime::NEVER } else { now });
        self.spoil_shard("a_check_is_not_scheduled_again", &self.name, |shard| shard.checks.clear());
        let mut asked = Vec::new();
        self.spoil("each_of_those_out_of_time_asks", &self.name, |queue| {
            asked.extend(queue.followers.iter_mut().flat_map(|all| take(&mut all.timed_out)));
        });
        asked.into_iter().for_each(|waiter| _ = waiter.end.send(WaitEnd::TimedOut(TimedOut::AskStore)));
    }

    /// The runtime shuts down.
    pub(super) fn shut_down(&self) {
        self.spoil("those_in_queue_are_not_told_of_the_end", &self.name, |queue| forget(queue.followers.take()));
        self.book.page().is_over = true;
        let parked = self.queues.close();
        self.release(parked.into_iter().filter(|_| !is_weakened("the_end_takes_no_lease_out")));
        self.spoil_shard("somebody_joins_after_the_end", &self.name, |shard| shard.closing = false);
    }
}
