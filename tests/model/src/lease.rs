//! What a client does with the lock once it has it: turns, renewals, shortenings, and giving it away.

use crate::{
    Task,
    client::{Client, Pending},
    fences::Fences,
    network::Body,
    properties::{FENCES, YIELDS},
    scenario::{Step, Tick, ticks},
    turn_start::TurnStart,
    types::boot_time::BootTime,
};

/// The lock, as long as the deadline is not past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lease {
    /// The TTL of the last "yes", and the moment from which that counts.
    ttl: Tick,
    yes: BootTime,
    pub(crate) deadline: BootTime,
    /// The last one was given out by the store, also if none is for turns: by that the lock comes back after a failover.
    block: Fences,
    /// When the turn under way ends that is not renewed. Its fence counts; what it does with the lock is not modelled.
    pub(crate) turn: Option<BootTime>,
    /// Nobody gives a lease away before it was of use.
    had_a_turn: bool,
    /// The last "yes" was meant for the next turn.
    is_fresh: bool,
    /// It has no answer yet.
    renewal: Option<Renewal>,
    /// No grant counts for more while a shortening may be carried out; `true` if one was never answered.
    cap: Option<(Tick, bool)>,
    /// How many turns began since it is known that somebody waits elsewhere.
    contended: Option<u8>,
    /// Only a weakened holder forgets that.
    forgets: bool,
    /// A request for it was never answered, and may be carried out yet.
    doubt: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Renewal {
    sent: Tick,
    ttl: Tick,
    shorten: bool,
}

impl Client {
    /// The lock is the client's, counted from `from`, if that is not over yet.
    pub(crate) fn granted(&mut self, from: BootTime, first: u8, waiting: bool, step: &Step<'_>) {
        let (Some(task), Some(Pending { open, contended, .. })) = (self.task(step), self.pending.clone()) else {
            return;
        };
        let deadline = step.scenario.deadline(from, task.ttl);
        if deadline <= step.moment(step.now) {
            return;
        }
        self.pending = None;
        self.lease = Some(Lease {
            ttl: task.ttl,
            yes: from,
            deadline,
            block: if task.fenced {
                Fences::new(first.into(), step.scenario.block.into())
            } else {
                Fences::new(u64::from(first) + 1, 0)
            },
            turn: None,
            had_a_turn: false,
            is_fresh: true,
            renewal: None,
            cap: None,
            contended: (waiting || contended).then_some(0),
            forgets: !waiting && step.is("a_holder_that_forgets_that_somebody_waits"),
            doubt: open > 0,
        });
    }

    /// The lease and the task whose turn is under way or next.
    fn used(&self, step: &Step<'_>) -> Option<(&Lease, Task)> {
        self.lease.as_ref().zip(self.task(step))
    }

    /// A turn starts if enough of the lease is left for what the task asked for, and a fence.
    pub(crate) fn can_start_turn(&self, step: &Step<'_>) -> bool {
        let max = step.scenario.turns_when_contended;
        self.used(step).is_some_and(|(lease, task)| {
            lease.turn.is_none()
                && lease.start(task, step).is_covered(lease.deadline)
                && !(task.fenced && lease.block.is_empty())
                && (lease.forgets || lease.contended.is_none_or(|turns| turns < max))
        })
    }

    pub(crate) fn start_turn(&mut self, step: &mut Step<'_>) {
        let (Some(task), Some(lease)) = (self.task(step), &mut self.lease) else { return };
        lease.turn = lease.start(task, step).limit().or(Some(BootTime::NEVER));
        (lease.is_fresh, lease.had_a_turn) = (false, true);
        lease.contended = lease.contended.map(|turns| turns + 1);
        if lease.contended > Some(step.scenario.turns_when_contended) {
            step.broken = Some(YIELDS);
        }
        if let Some(fence) = task.fenced.then(|| lease.block.take()).flatten() {
            step.broken = if fence > step.last_fence { step.broken } else { Some(FENCES) };
            step.last_fence = fence;
        }
    }

    pub(crate) fn end_turn(&mut self) {
        if self.lease.as_mut().is_some_and(|lease| lease.turn.take().is_some()) {
            self.done += 1;
        }
    }

    /// Whether a renewal makes sense: for the turn under way if it renews, or so that the next can start.
    pub(crate) fn can_renew(&self, step: &Step<'_>) -> bool {
        self.used(step).is_some_and(|(lease, task)| {
            let gains = lease.yes < step.moment(step.now) || lease.needs_fences(task);
            !lease.expects_answer_to(step.now) && gains && (task.renew || lease.turn.is_none())
        })
    }

    /// Whether the lease is longer than the turn under way asked for.
    pub(crate) fn can_shorten(&self, step: &Step<'_>) -> bool {
        self.used(step).is_some_and(|(lease, task)| {
            lease.turn.is_some() && task.ttl < lease.ttl && !lease.expects_answer_to(step.now)
        })
    }

    pub(crate) fn renew(&mut self, step: &mut Step<'_>, shorten: bool) {
        let (Some(task), Some(lease)) = (self.task(step), &mut self.lease) else { return };
        let Task { ttl, .. } = task;
        // One that got no answer may be carried out at any time: if it was a shortening, the cap stays.
        let is_unanswered =
            lease.renewal.replace(Renewal { sent: step.now, ttl, shorten }).is_some_and(|old| old.shorten);
        lease.cap = lease.cap.map(|(cap, doubt)| (cap, doubt || is_unanswered));
        if shorten {
            lease.deadline = lease.deadline.min(step.scenario.deadline(step.moment(step.now), ttl));
            let (cap, doubt) = lease.cap.unwrap_or((ttl, false));
            lease.cap = Some((cap.min(ttl), doubt));
        }
        let last = u8::try_from(lease.block.end() - 1).expect("the fences of a run stay below 255");
        step.send(step.token(self.number), Body::Renew { ttl, shorten, more: lease.needs_fences(task), last });
    }

    /// Whether the lease goes away: nobody here needs it, or somebody elsewhere does.
    pub(crate) fn can_release(&self, step: &Step<'_>) -> bool {
        let Some(lease) = self.lease.as_ref().filter(|lease| lease.turn.is_none()) else { return false };
        // A shortening without an answer may keep the lease too short for the next task.
        let cap = lease.cap.filter(|(_, doubt)| *doubt && !step.is("a_lease_that_is_kept_though_it_stays_too_short"));
        let is_needed = self.task(step).is_some_and(|task| cap.is_none_or(|(cap, _)| cap >= task.ttl));
        !is_needed || (lease.contended.is_some() && !lease.forgets && lease.had_a_turn)
    }

    pub(crate) fn release(&mut self, step: &mut Step<'_>) {
        self.end_turn();
        if let Some(lease) = self.lease.take() {
            self.give_back(self.number, lease.doubt, step);
        }
    }

    /// The answer to a renewal arrives. Those that were given up say nothing any more.
    pub(crate) fn renewed(&mut self, sent: Tick, yes: bool, first: Option<u8>, step: &mut Step<'_>) {
        let Some(lease) = &mut self.lease else { return };
        let Some(renewal) = lease.renewal.take_if(|renewal| renewal.sent == sent) else { return };
        if !yes {
            return self.release(step);
        }
        let from = step.counts_from(sent);
        let cap = lease.cap.filter(|_| !step.is("a_shortening_that_does_not_cap_later_grants"));
        let ttl = cap.map_or(renewal.ttl, |(cap, _)| cap.min(renewal.ttl));
        let deadline = step.scenario.deadline(from, ttl);
        lease.yes = lease.yes.max(from);
        lease.is_fresh = lease.turn.is_none();
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
    fn start(&self, task: Task, step: &Step<'_>) -> TurnStart {
        let fresh = self.is_fresh.then_some(self.yes);
        TurnStart { ttl: ticks(task.ttl), is_renewed: task.renew, fresh, now: step.moment(step.now) }
    }

    fn needs_fences(&self, task: Task) -> bool {
        task.fenced && self.turn.is_none() && self.block.is_empty()
    }

    pub(crate) fn expects_answer_to(&self, sent: Tick) -> bool {
        self.renewal.is_some_and(|renewal| renewal.sent == sent)
    }

    /// Notes that somebody waits elsewhere. What is noted stays.
    pub(crate) fn is_told(&mut self, waiting: bool, step: &Step<'_>) {
        self.forgets = !waiting && step.is("a_holder_that_forgets_that_somebody_waits");
        if waiting {
            self.contended.get_or_insert(0);
        }
    }
}
