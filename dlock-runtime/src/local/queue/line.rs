//! One line: what its head has and knows, and who waits behind it.

use tokio::sync::oneshot;

use super::{
    Over, Pass,
    waiters::{Queue, Waiter},
};
use crate::{
    local::{lease::Lease, pending::Ask, verdict::Verdict},
    observe::caught::caught,
    sync::Arc,
    types::clock::Moment,
};

/// The line for one lock. Most have nobody behind the head, so that what it takes for others is kept apart.
#[derive(Default)]
pub(super) struct Line {
    /// What the head asks the store, to be found by messages.
    pub(super) ask: Option<Arc<Ask>>,
    /// What the process has. Closed leases are not told of.
    pub(super) lease: Option<Arc<Lease>>,
    /// Until when the lease is kept that nobody uses; then there is no head.
    pub(super) parked: Option<Moment>,
    /// What the store said last.
    known: Option<Box<Known>>,
    pub(super) crowd: Option<Box<Crowd>>,
}

/// An answer of the store.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) verdict: Verdict,
    /// When it came.
    pub(crate) at: Moment,
    /// Until when others may be told of it. By then it is asked again, if the head is at work at all.
    pub(crate) until: Moment,
}

/// Those behind the head.
pub(super) struct Crowd {
    pub(super) queue: Queue,
    /// Whose time is over while nothing is known: one of them asks, and the others wait a moment longer for the answer.
    late: Vec<Waiter>,
    /// Until when that may take.
    late_until: Moment,
    /// When the patrol comes to this line, at the latest.
    pub(super) alarm: Moment,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { queue: Queue::default(), late: Vec::new(), late_until: Moment::NEVER, alarm: Moment::NEVER }
    }
}

/// Who leaves the line, and what for. To be told when no lock of ours is held: wakers are code of the user.
#[derive(Default)]
pub(super) struct SentAway {
    told: Vec<(Waiter, Over)>,
    /// They went away by themselves, or are to find out that nobody calls them any more.
    pub(super) gone: Vec<Waiter>,
}

impl SentAway {
    #[inline]
    pub(super) fn tell(self) {
        if !self.told.is_empty() || !self.gone.is_empty() {
            self.tell_all();
        }
    }

    #[cold]
    fn tell_all(self) {
        for (waiter, over) in self.told {
            caught(|| drop(waiter.turn.send(Pass::Over(over))));
        }
        for waiter in self.gone {
            caught(|| drop(waiter));
        }
    }
}

impl Line {
    pub(super) fn join(&mut self, until: Moment, sent_away: &mut SentAway) -> oneshot::Receiver<Pass> {
        let (turn, wait) = oneshot::channel();
        self.crowd.get_or_insert_default().queue.push(Waiter { turn, until }, &mut sent_away.gone);
        wait
    }

    /// The patrol must come by `until`. False if it comes earlier anyway.
    pub(super) fn raise_alarm(&mut self, until: Moment) -> bool {
        self.crowd.as_mut().is_some_and(|crowd| {
            let earlier = until < crowd.alarm;
            crowd.alarm = crowd.alarm.min(until);
            earlier
        })
    }

    /// How many wait: without a lease, the head does too.
    pub(super) fn waiting(&self) -> usize {
        let behind = self.crowd.as_ref().map_or(0, |crowd| crowd.queue.len() + crowd.late.len());
        behind + usize::from(self.lease.is_none())
    }

    /// Whether somebody is behind the head.
    pub(super) fn has_followers(&self) -> bool {
        self.crowd.as_ref().is_some_and(|crowd| !crowd.queue.is_empty())
    }

    pub(super) fn has(&self, lease: &Arc<Lease>) -> bool {
        self.lease.as_ref().is_some_and(|known| Arc::ptr_eq(known, lease))
    }

    /// What the store said last, if that is not long ago.
    pub(super) fn known(&self, now: Moment) -> Option<&Known> {
        self.known.as_deref().filter(|known| now < known.until)
    }

    /// The store has answered. Who waits for that alone is told.
    pub(super) fn learn(&mut self, known: Known, sent_away: &mut SentAway) {
        if let Some(crowd) = &mut self.crowd {
            let late = crowd.late.drain(..);
            sent_away.told.extend(late.map(|waiter| (waiter, Over::Known(known.verdict.clone()))));
            crowd.late_until = Moment::NEVER;
        }
        if self.lease.is_none() {
            self.known = Some(Box::new(known));
        }
    }

    /// What was said of the lock is over.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// What those are told whose time is over: a turn of this process is under way, or what the store said.
    fn over(&self, now: Moment) -> Option<Over> {
        match self.lease.as_ref().filter(|lease| lease.is_in_use(now)) {
            Some(lease) => Some(Over::HeldHere(Arc::clone(lease))),
            None => self.known(now).map(|known| Over::Known(known.verdict.clone())),
        }
    }

    /// Takes out the next one who is to have the place. Without a lease it is of no use to those whose time is over.
    pub(super) fn next(&mut self, lease: bool, now: Moment, sent_away: &mut SentAway) -> Option<oneshot::Sender<Pass>> {
        let over = if lease { None } else { self.over(now) };
        let crowd = self.crowd.as_mut()?;
        while let Some(next) = crowd.queue.pop().or_else(|| crowd.late.pop()) {
            match &over {
                Some(over) if next.until <= now => sent_away.told.push((next, over.clone())),
                _ => return Some(next.turn),
            }
        }
        None
    }

    /// Sends away those whose time is over. Returns when the next one runs out of time.
    pub(super) fn send_late_away(&mut self, now: Moment, grace: Moment, sent_away: &mut SentAway) -> Moment {
        let over = self.over(now);
        let Some(crowd) = &mut self.crowd else { return Moment::NEVER };
        while let Some(late) = crowd.queue.pop_late(now) {
            match &over {
                _ if late.turn.is_closed() => sent_away.gone.push(late),
                Some(over) => sent_away.told.push((late, over.clone())),
                None if crowd.late_until < Moment::NEVER => crowd.late.push(late),
                // The first of them asks for all.
                None => {
                    crowd.late_until = grace;
                    sent_away.told.push((late, Over::Ask));
                }
            }
        }
        if crowd.late_until <= now {
            crowd.late_until = Moment::NEVER;
            let late = crowd.late.drain(..);
            sent_away.told.extend(late.map(|waiter| (waiter, over.clone().unwrap_or(Over::Unknown))));
        }
        crowd.queue.first_deadline().unwrap_or(Moment::NEVER).min(crowd.late_until)
    }

    /// Sends everybody away.
    pub(super) fn close(&mut self, sent_away: &mut SentAway) {
        if let Some(crowd) = self.crowd.take() {
            let Crowd { mut queue, late, .. } = *crowd;
            sent_away.gone.extend(queue.drain());
            sent_away.gone.extend(late);
        }
    }
}
