//! What a client does with the lock once it has it: turns, renewals, shortenings, and giving it away.

use crate::{
    Task,
    client::{Client, Step},
    fences::Fences,
    network::{Body, Renewal, Token},
    scenario::{Tick, ticks},
    turn_start::TurnStart,
    types::boot_time::BootTime,
};

/// The lock, as long as the deadline is not past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    pub(crate) number: u8,
    /// The TTL of the last "yes", and the moment from which that counts.
    ttl: Tick,
    yes: BootTime,
    pub(crate) deadline: BootTime,
    block: Fences,
    /// The last fence of the block, by which the lock comes back after a failover; 0 without a guard.
    last: u8,
    /// Nobody gives a lease away before it was of use.
    had_a_turn: bool,
    /// The last "yes" was meant for the next turn.
    is_fresh: bool,
    /// It has no answer yet.
    pub(crate) renewal: Option<Renewal>,
    /// No grant counts for more while a shortening may be carried out; `true` if one was never answered.
    cap: Option<(Tick, bool)>,
    /// How many turns began since it is known that somebody waits elsewhere.
    contended: Option<u8>,
    /// The same, for the checks: only the start of the lease clears it.
    told: Option<u8>,
    /// A request for it was never answered, and may be carried out yet.
    doubt: bool,
}

/// A task that has the lock. Its fence counts; what it does with it is not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    /// With `renew = false`, when its own time is over.
    pub(crate) limit: Option<BootTime>,
}

impl Client {
    /// The lock is the client's, counted from `from`, if that is not over yet.
    pub(crate) fn granted(&mut self, step: &Step<'_>, from: BootTime, first: u8, waiting: bool) {
        let Some(pending) = &self.pending else { return };
        let deadline = step.scenario.deadline(from, pending.ttl);
        if deadline <= step.moment(step.now) {
            return;
        }
        let told = (waiting || pending.contended).then_some(0);
        let contended = if step.is("a_holder_that_forgets_that_somebody_waits") { waiting.then_some(0) } else { told };
        self.lease = Some(Lease {
            number: pending.number,
            ttl: pending.ttl,
            yes: from,
            deadline,
            block: Fences::new(first.into(), if pending.fenced { step.scenario.block.into() } else { 0 }),
            last: step.scenario.last_of(first, pending.fenced),
            had_a_turn: false,
            is_fresh: true,
            renewal: None,
            cap: None,
            contended,
            told,
            doubt: pending.open > 0,
        });
        self.pending = None;
    }

    /// The lease and the task whose turn is under way or next.
    fn used(&self, step: &Step<'_>) -> Option<(&Lease, Task)> {
        self.lease.as_ref().zip(self.task(step))
    }

    /// A turn starts if enough of the lease is left for what the task asked for, and a fence.
    pub(crate) fn can_start(&self, step: &Step<'_>) -> bool {
        let may_start = |(lease, task): (&Lease, Task)| {
            lease.start(task, step).is_covered(lease.deadline)
                && !(task.fenced && lease.block.is_empty())
                && lease.contended.is_none_or(|turns| turns < step.scenario.turns_when_contended)
        };
        self.turn.is_none() && self.used(step).is_some_and(may_start)
    }

    pub(crate) fn start(&mut self, step: &mut Step<'_>) {
        let (Some(task), Some(lease)) = (self.task(step), &mut self.lease) else { return };
        let fence = task.fenced.then(|| lease.block.take()).flatten();
        self.turn = Some(Turn { limit: lease.start(task, step).limit() });
        (lease.is_fresh, lease.had_a_turn) = (false, true);
        for turns in [&mut lease.contended, &mut lease.told].into_iter().flatten() {
            *turns += 1;
        }
        let greedy = lease.told.is_some_and(|turns| turns > step.scenario.turns_when_contended);
        let token = Token { client: step.id, number: lease.number };
        let narrow = |fence| u8::try_from(fence).expect("the fences of a run stay below 255");
        step.started = Some((token, fence.map(narrow), greedy));
    }

    pub(crate) fn end(&mut self) {
        self.turn = None;
        self.done += 1;
    }

    /// Whether a renewal makes sense: for the turn under way if it renews, or so that the next can start.
    pub(crate) fn can_renew(&self, step: &Step<'_>) -> bool {
        self.used(step).is_some_and(|(lease, task)| {
            let gains = lease.yes < step.moment(step.now) || self.needs_fences(lease, task);
            lease.is_idle(step) && gains && (task.renew || self.turn.is_none())
        })
    }

    fn needs_fences(&self, lease: &Lease, task: Task) -> bool {
        task.fenced && self.turn.is_none() && lease.block.is_empty()
    }

    /// Whether the lease is longer than the turn under way asked for.
    pub(crate) fn can_shorten(&self, step: &Step<'_>) -> bool {
        let is_longer = |(lease, task): (&Lease, Task)| task.ttl < lease.ttl && lease.is_idle(step);
        self.turn.is_some() && self.used(step).is_some_and(is_longer)
    }

    pub(crate) fn renew(&mut self, step: &mut Step<'_>, shorten: bool) {
        let more = self.used(step).is_some_and(|(lease, task)| self.needs_fences(lease, task));
        let (Some(Task { ttl, .. }), Some(lease)) = (self.task(step), &mut self.lease) else { return };
        lease.give_up_renewal();
        let renewal = Renewal { sent: step.now, ttl, shorten };
        lease.renewal = Some(renewal);
        if shorten {
            lease.deadline = lease.deadline.min(step.scenario.deadline(step.moment(step.now), ttl));
            let (cap, doubt) = lease.cap.unwrap_or((ttl, false));
            lease.cap = Some((cap.min(ttl), doubt));
        }
        let last = lease.last;
        step.send(lease.number, Body::Renew { renewal, more, last });
    }

    /// Whether the lease goes away: nobody here needs it, or somebody elsewhere does.
    pub(crate) fn can_release(&self, step: &Step<'_>) -> bool {
        let Some(lease) = self.lease.as_ref().filter(|_| self.turn.is_none()) else { return false };
        // A shortening without an answer may keep the lease too short for the next task.
        let cap = lease.cap.filter(|(_, doubt)| *doubt && !step.is("a_lease_that_is_kept_though_it_stays_too_short"));
        let is_needed = self.task(step).is_some_and(|task| cap.is_none_or(|(cap, _)| cap >= task.ttl));
        !is_needed || (lease.contended.is_some() && lease.had_a_turn)
    }

    pub(crate) fn release(&mut self, step: &mut Step<'_>) {
        if let Some(lease) = self.lease.take() {
            self.give_back(step, lease.number, lease.doubt);
        }
    }

    /// The answer to a renewal arrives. Those that were given up say nothing any more.
    pub(crate) fn renewed(&mut self, number: u8, renewal: Renewal, yes: bool, first: Option<u8>, step: &mut Step<'_>) {
        let is_idle = self.turn.is_none();
        let Some(lease) = self.lease(number).filter(|lease| lease.renewal == Some(renewal)) else { return };
        lease.renewal = None;
        if !yes {
            if !is_idle {
                self.end();
            }
            return self.release(step);
        }
        let from = step.counts_from(renewal.sent);
        let cap = lease.cap.filter(|_| !step.is("a_shortening_that_does_not_cap_later_grants"));
        let ttl = cap.map_or(renewal.ttl, |(cap, _)| cap.min(renewal.ttl));
        let deadline = step.scenario.deadline(from, ttl);
        lease.yes = lease.yes.max(from);
        lease.is_fresh = is_idle;
        if renewal.shorten || deadline > lease.deadline {
            lease.ttl = ttl;
            lease.deadline = lease.deadline.max(deadline);
        }
        if renewal.shorten {
            lease.cap = lease.cap.filter(|(_, doubt)| *doubt);
        }
        if let Some(first) = first.filter(|_| lease.block.is_empty()) {
            lease.block = Fences::new(first.into(), step.scenario.block.into());
            lease.last = step.scenario.last_of(first, true);
        }
    }
}

impl Lease {
    fn start(&self, task: Task, step: &Step<'_>) -> TurnStart {
        let fresh = self.is_fresh.then_some(self.yes);
        TurnStart { ttl: ticks(task.ttl), is_renewed: task.renew, fresh, now: step.moment(step.now) }
    }

    /// Nothing was asked about it in this tick that is not answered.
    fn is_idle(&self, step: &Step<'_>) -> bool {
        self.renewal.is_none_or(|renewal| renewal.sent < step.now)
    }

    /// Notes that somebody waits elsewhere. What is noted stays.
    pub(crate) fn is_told(&mut self, waiting: bool, step: &Step<'_>) {
        if step.is("a_holder_that_forgets_that_somebody_waits") {
            self.contended = waiting.then_some(0);
        }
        if waiting {
            self.contended.get_or_insert(0);
            self.told.get_or_insert(0);
        }
    }

    /// A renewal that got no answer may be carried out at any time: if it was a shortening, the cap stays.
    fn give_up_renewal(&mut self) {
        if self.renewal.take().is_some_and(|renewal| renewal.shorten) {
            self.cap = self.cap.map(|(ttl, _)| (ttl, true));
        }
    }
}
