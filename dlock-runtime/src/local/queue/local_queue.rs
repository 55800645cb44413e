//! The queue for one lock: what its head has, what is known about the lock, and who waits behind the head.

use super::{
    TimedOut, WaitEnd,
    waiter::{Waiter, Wakeups},
    waiters::Waiters,
};
use crate::{
    local::{lease::Lease, pending::PendingRequest, verdict::Verdict},
    sync::{Arc, oneshot},
    types::boot_time::BootTime,
};

/// The queue for one lock. Most have nobody behind the head, so what is needed for followers is kept apart.
#[derive(Default)]
pub(super) struct LocalQueue {
    /// The request that the head puts to the store. Notifications look for it here.
    pub(super) pending: Option<Arc<PendingRequest>>,
    /// The lease of the process. It may be closed already.
    pub(super) lease: Option<Arc<Lease>>,
    /// Until when an idle lease is kept. There is no head then.
    pub(super) parked: Option<BootTime>,
    last_answer: Option<Box<LastAnswer>>,
    /// How many turns the last lease served.
    pub(super) last_turns: u32,
    pub(super) followers: Option<Box<Followers>>,
}

/// An answer of the store to somebody who did not get the lock.
#[derive(Clone)]
pub(crate) struct LastAnswer {
    pub(crate) verdict: Verdict,
    /// When it came.
    pub(crate) at: BootTime,
    /// Until when it may be told to others. The head, if it still waits, asks again before that.
    pub(crate) until: BootTime,
}

/// The tasks behind the head.
pub(super) struct Followers {
    pub(super) waiters: Waiters,
    /// Tasks that were out of time while nothing was known. One of them asks the store, and these wait for the answer.
    pub(super) timed_out: Vec<Waiter>,
    /// Until when they wait for it.
    grace_until: BootTime,
    /// When to look for timeouts in this queue.
    pub(super) check_at: BootTime,
}

impl Default for Followers {
    fn default() -> Self {
        Self {
            waiters: Waiters::default(),
            timed_out: Vec::new(),
            grace_until: BootTime::NEVER,
            check_at: BootTime::NEVER,
        }
    }
}

impl LocalQueue {
    /// One more task waits.
    pub(super) fn push(&mut self, until: BootTime, wakeups: &mut Wakeups) -> oneshot::Receiver<WaitEnd> {
        let (end, wait) = oneshot::channel();
        self.followers.get_or_insert_default().waiters.push(Waiter { end, until }, wakeups);
        wait
    }

    /// This queue is to be looked at by `until`. False if that happens earlier anyway.
    pub(super) fn schedule_check(&mut self, until: BootTime) -> bool {
        self.followers.as_mut().is_some_and(|followers| {
            let is_earlier = until < followers.check_at;
            followers.check_at = followers.check_at.min(until);
            is_earlier
        })
    }

    /// How many tasks wait. Without a lease the head waits too.
    pub(super) fn waiting(&self) -> usize {
        let behind = self.followers.as_ref().map_or(0, |followers| followers.waiters.len() + followers.timed_out.len());
        behind + usize::from(self.lease.is_none())
    }

    /// Whether tasks wait behind the head.
    pub(super) fn has_followers(&self) -> bool {
        self.followers.as_ref().is_some_and(|followers| !followers.waiters.is_empty())
    }

    pub(super) fn has(&self, lease: &Arc<Lease>) -> bool {
        self.lease.as_ref().is_some_and(|known| Arc::ptr_eq(known, lease))
    }

    /// The store's last answer, if that is not long ago.
    pub(super) fn last_answer(&self, now: BootTime) -> Option<&LastAnswer> {
        self.last_answer.as_deref().filter(|answer| now < answer.until)
    }

    /// Records an answer of the store, and tells it to those who wait for it alone.
    pub(super) fn record_answer(&mut self, answer: LastAnswer, wakeups: &mut Wakeups) {
        if let Some(followers) = &mut self.followers {
            let waiters = followers.timed_out.drain(..);
            waiters.for_each(|waiter| wakeups.time_out(waiter, TimedOut::LastAnswer(answer.verdict.clone().into())));
            followers.grace_until = BootTime::NEVER;
        }
        if self.lease.is_none() {
            self.last_answer = Some(Box::new(answer));
        }
    }

    /// The last answer holds no more: this process has the lock.
    pub(super) fn clear_last_answer(&mut self) {
        self.last_answer = None;
    }

    /// What a task that is out of time is told. `None` if nothing is known.
    fn timed_out(&self, now: BootTime) -> Option<TimedOut> {
        match self.lease.as_ref().filter(|lease| lease.is_in_use(now)) {
            Some(lease) => Some(TimedOut::HeldHere(Arc::clone(lease))),
            None => self.last_answer(now).map(|answer| TimedOut::LastAnswer(answer.verdict.clone().into())),
        }
    }

    /// Takes out the waiter that gets the baton next. Those who are out of time get it only with a lease: without one they
    /// would have to ask the store first.
    pub(super) fn next(
        &mut self,
        has_lease: bool,
        now: BootTime,
        wakeups: &mut Wakeups,
    ) -> Option<oneshot::Sender<WaitEnd>> {
        let timed_out = if has_lease { None } else { self.timed_out(now) };
        let followers = self.followers.as_mut()?;
        while let Some(next) = followers.waiters.pop().or_else(|| followers.timed_out.pop()) {
            match &timed_out {
                Some(end) if next.until <= now => wakeups.time_out(next, end.clone()),
                _ => return Some(next.end),
            }
        }
        None
    }

    /// Ends the wait of those who are out of time. Returns when the next one may be. If nothing is known, they wait for an
    /// answer until `grace`.
    pub(super) fn expire_waiters(&mut self, now: BootTime, grace: BootTime, wakeups: &mut Wakeups) -> BootTime {
        let known = self.timed_out(now);
        let Some(followers) = &mut self.followers else { return BootTime::NEVER };
        while let Some(waiter) = followers.waiters.pop_timed_out(now) {
            match &known {
                _ if waiter.end.is_closed() => wakeups.let_go(waiter),
                Some(end) => wakeups.time_out(waiter, end.clone()),
                None if followers.grace_until < BootTime::NEVER => followers.timed_out.push(waiter),
                // The first of them asks for all.
                None => {
                    followers.grace_until = grace;
                    wakeups.time_out(waiter, TimedOut::AskStore);
                }
            }
        }
        if followers.grace_until <= now {
            followers.grace_until = BootTime::NEVER;
            let waiters = followers.timed_out.drain(..);
            let end = known.unwrap_or(TimedOut::NoAnswer);
            waiters.for_each(|waiter| wakeups.time_out(waiter, end.clone()));
        }
        followers.waiters.next_deadline().unwrap_or(BootTime::NEVER).min(followers.grace_until)
    }

    /// Ends all waits.
    pub(super) fn close(&mut self, wakeups: &mut Wakeups) {
        if let Some(followers) = self.followers.take() {
            let Followers { mut waiters, timed_out, .. } = *followers;
            waiters.drain().into_iter().chain(timed_out).for_each(|waiter| wakeups.let_go(waiter));
        }
    }
}
