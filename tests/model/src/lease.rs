//! What a client does with the lock once it has it: turns, renewals, shortenings, and giving it away.

use crate::{
    Scenario, Task, Weakened,
    client::{Client, Step},
    clock::{BootTime, Tick, ticks},
    fences::Fences,
    network::Packet,
    turn_start::TurnStart,
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
    /// Nobody gives a lease away before it was of use.
    had_a_turn: bool,
    /// The last "yes" was meant for the next turn.
    is_fresh: bool,
    pub(crate) renewal: Option<Renewal>,
    /// No grant counts for more while a shortening may be carried out; `true` if one was never answered.
    cap: Option<(Tick, bool)>,
    /// How many turns began since it is known that somebody waits elsewhere.
    wanted: Option<u8>,
    /// The same, for the checks: only the start of the lease clears it.
    told: Option<u8>,
    /// A question about it was never answered, and may be carried out yet.
    doubt: bool,
}

/// A renewal without an answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Renewal {
    pub(crate) sent: Tick,
    pub(crate) ttl: Tick,
    pub(crate) shorten: bool,
}

/// A task that has the lock. Its fence counts; what it does with it is not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    /// With `renew = false`, when its own time is over.
    pub(crate) limit: Option<BootTime>,
}

impl Client {
    /// The lock is the client's, counted from `from`, if that is not over yet.
    pub(crate) fn granted(&mut self, step: &mut Step<'_>, from: BootTime, first: u8, waiting: bool) {
        let Some(ask) = &self.ask else { return };
        let deadline = step.scenario.deadline(from, ask.ttl);
        if deadline <= step.moment(step.now) {
            return;
        }
        let told = (waiting || ask.wanted).then_some(0);
        let wanted = if step.is(Weakened::MarkOverwritten) { waiting.then_some(0) } else { told };
        self.lease = Some(Lease {
            number: ask.number,
            ttl: ask.ttl,
            yes: from,
            deadline,
            block: Fences::new(first.into(), step.scenario.block.into()),
            had_a_turn: false,
            is_fresh: true,
            renewal: None,
            cap: None,
            wanted,
            told,
            doubt: ask.open > 0,
        });
        self.ask = None;
    }

    /// A turn starts if enough of the lease is left for what the task asked for, and a fence.
    pub(crate) fn can_start(&self, scenario: &Scenario, id: u8, now: Tick) -> bool {
        let (Some(lease), None, Some(task)) = (&self.lease, self.turn, self.task(scenario, id)) else { return false };
        lease.start(task, scenario.moment(id, now)).is_covered(lease.deadline)
            && !lease.block.is_empty()
            && lease.wanted.is_none_or(|turns| turns < scenario.turns_when_wanted)
    }

    pub(crate) fn start(&mut self, step: &mut Step<'_>) {
        let now = step.moment(step.now);
        let (Some(task), Some(lease)) = (self.task(step.scenario, step.id), &mut self.lease) else { return };
        let Some(fence) = lease.block.take().map(narrow) else { return };
        self.turn = Some(Turn { limit: lease.start(task, now).limit() });
        (lease.is_fresh, lease.had_a_turn) = (false, true);
        step.witness.turn_started(step.token(lease.number), fence);
        for turns in [&mut lease.wanted, &mut lease.told].into_iter().flatten() {
            *turns += 1;
        }
        step.witness.flaws.greedy |= lease.told.is_some_and(|turns| turns > step.scenario.turns_when_wanted);
    }

    pub(crate) fn end(&mut self) {
        self.turn = None;
        self.done += 1;
    }

    /// Whether a renewal makes sense: for the turn under way if it renews, or so that the next can start.
    pub(crate) fn can_renew(&self, scenario: &Scenario, id: u8, now: Tick) -> bool {
        let (Some(lease), Some(task)) = (&self.lease, self.task(scenario, id)) else { return false };
        let idle = lease.renewal.is_none_or(|renewal| renewal.sent < now);
        let gains = lease.yes < scenario.moment(id, now) || self.needs_fences(lease);
        idle && gains && (task.renew || self.turn.is_none())
    }

    fn needs_fences(&self, lease: &Lease) -> bool {
        self.turn.is_none() && lease.block.is_empty()
    }

    pub(crate) fn renew(&mut self, step: &mut Step<'_>) {
        let more = self.lease.as_ref().is_some_and(|lease| self.needs_fences(lease));
        let (Some(task), Some(lease)) = (self.task(step.scenario, step.id), &mut self.lease) else { return };
        lease.give_up_renewal();
        lease.renewal = Some(Renewal { sent: step.now, ttl: task.ttl, shorten: false });
        let token = step.token(lease.number);
        step.send.push(Packet::Renew { token, ttl: task.ttl, shorten: false, more, sent: step.now });
    }

    /// Whether the lease is longer than the turn under way asked for.
    pub(crate) fn can_shorten(&self, scenario: &Scenario, id: u8, now: Tick) -> bool {
        let (Some(lease), Some(_), Some(task)) = (&self.lease, self.turn, self.task(scenario, id)) else {
            return false;
        };
        task.ttl < lease.ttl && lease.renewal.is_none_or(|renewal| renewal.sent < now)
    }

    pub(crate) fn shorten(&mut self, step: &mut Step<'_>) {
        let (Some(task), Some(lease)) = (self.task(step.scenario, step.id), &mut self.lease) else { return };
        lease.give_up_renewal();
        lease.renewal = Some(Renewal { sent: step.now, ttl: task.ttl, shorten: true });
        lease.deadline = lease.deadline.min(step.scenario.deadline(step.moment(step.now), task.ttl));
        let (ttl, doubt) = lease.cap.unwrap_or((task.ttl, false));
        lease.cap = Some((ttl.min(task.ttl), doubt));
        let token = step.token(lease.number);
        step.send.push(Packet::Renew { token, ttl: task.ttl, shorten: true, more: false, sent: step.now });
    }

    /// Whether the lease goes away: nobody here needs it, or somebody elsewhere does.
    pub(crate) fn can_release(&self, scenario: &Scenario, id: u8) -> bool {
        let task = self.task(scenario, id);
        let unneeded = task.is_none_or(|task| self.is_capped(scenario, task));
        self.turn.is_none()
            && self.lease.as_ref().is_some_and(|lease| unneeded || (lease.wanted.is_some() && lease.had_a_turn))
    }

    /// Whether a shortening without an answer keeps the lease too short for a task.
    fn is_capped(&self, scenario: &Scenario, task: Task) -> bool {
        let cap = self.lease.as_ref().and_then(|lease| lease.cap);
        scenario.weakened != Some(Weakened::CappedLeaseKept) && cap.is_some_and(|(ttl, doubt)| doubt && ttl < task.ttl)
    }

    pub(crate) fn release(&mut self, step: &mut Step<'_>) {
        let Some(lease) = self.lease.take() else { return };
        self.owe(step, lease.number, lease.doubt);
    }

    /// The answer to a renewal arrives. Those that were given up say nothing any more.
    pub(crate) fn renewed(&mut self, number: u8, renewal: Renewal, yes: bool, first: Option<u8>, step: &mut Step<'_>) {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.number == number) else { return };
        if lease.renewal != Some(renewal) {
            return;
        }
        lease.renewal = None;
        if !yes {
            if self.turn.is_some() {
                self.end();
            }
            return self.release(step);
        }
        let from = step.counts_from(renewal.sent);
        let cap = lease.cap.filter(|_| !step.is(Weakened::ShorteningUncapped)).map_or(renewal.ttl, |(ttl, _)| ttl);
        let ttl = renewal.ttl.min(cap);
        let deadline = step.scenario.deadline(from, ttl);
        lease.yes = lease.yes.max(from);
        lease.is_fresh = self.turn.is_none();
        if renewal.shorten || deadline > lease.deadline {
            lease.ttl = ttl;
            lease.deadline = lease.deadline.max(deadline);
        }
        if renewal.shorten {
            lease.cap = lease.cap.filter(|(_, doubt)| *doubt);
        }
        if let Some(first) = first.filter(|_| lease.block.is_empty()) {
            lease.block = Fences::new(first.into(), step.scenario.block.into());
        }
    }
}

impl Lease {
    fn start(&self, task: Task, now: BootTime) -> TurnStart {
        let fresh = self.is_fresh.then_some(self.yes);
        TurnStart { ttl: ticks(task.ttl), is_renewed: task.renew, fresh, now }
    }

    /// Marks that somebody waits elsewhere. A mark that is there stays.
    pub(crate) fn tell(&mut self, waiting: bool, step: &Step<'_>) {
        if step.is(Weakened::MarkOverwritten) {
            self.wanted = waiting.then_some(0);
        }
        if waiting {
            self.wanted.get_or_insert(0);
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

/// The model's numbers are small, so that states are.
fn narrow(fence: u64) -> u8 {
    u8::try_from(fence).expect("the fences of a run stay below 255")
}
