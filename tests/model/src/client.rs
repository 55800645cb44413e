//! One client: a process with a keeper. Here is how it asks for the lock, waits, and sees a release through; `lease.rs` has the rest.
//!
//! Every method is one step that the process may take. That a step may also not be taken, for any time, is what a pause
//! is. What a step concludes is concluded by the rules of the runtime: `Grant`, `HandOverValidity`, `Fences`, `TurnStart`.

use crate::{
    Scenario, Task,
    hand_over::HandOverValidity,
    lease::{Lease, Turn},
    network::{Body, Packet, Token},
    scenario::Tick,
    types::boot_time::BootTime,
};

/// What a process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// How many of its tasks had their turn, or were cancelled.
    pub(crate) done: u8,
    /// The number of its next request.
    number: u8,
    pub(crate) pending: Option<Pending>,
    pub(crate) lease: Option<Lease>,
    pub(crate) turn: Option<Turn>,
    pub(crate) releases: Vec<PendingRelease>,
    pub(crate) listens: Listens,
}

/// Where a client listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Listens {
    /// At the server that carries requests out.
    #[default]
    Here,
    /// At a replica of it: what is published arrives, and the scripts do not know.
    AtReplica,
    /// It crashed.
    Nowhere,
}

/// A request for the lock that is put to the store again and again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    pub(crate) number: u8,
    pub(crate) ttl: Tick,
    pub(crate) fenced: bool,
    validity: HandOverValidity,
    /// When it was last put.
    last: Tick,
    /// A message says that it is worth asking now.
    nudged: bool,
    /// How many times it was put and not answered.
    pub(crate) open: u8,
    /// Whether it was ever answered.
    answered: bool,
    /// "Wanted" can arrive before the grant that it is about.
    pub(crate) contended: bool,
}

/// A token that the process has no use for, and that may have the lock or an entry in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PendingRelease {
    pub(crate) number: u8,
    last: Tick,
    /// Until when it is repeated. After that the TTL has done the work.
    until: Tick,
    answered: bool,
    doubt: bool,
}

/// Where and when a step is taken, and what comes of it for others.
pub(crate) struct Step<'a> {
    pub(crate) id: u8,
    pub(crate) now: Tick,
    pub(crate) scenario: &'a Scenario,
    pub(crate) send: Vec<Packet>,
    /// The turn that starts: its token, its fence if it looks at it, and whether the lock should have been given away before.
    pub(crate) started: Option<(Token, Option<u8>, bool)>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(id: u8, now: Tick, scenario: &'a Scenario) -> Self {
        Self { id, now, scenario, send: Vec::new(), started: None }
    }

    pub(crate) fn send(&mut self, number: u8, body: Body) {
        self.send.push(Packet { token: Token { client: self.id, number }, sent: self.now, body });
    }

    pub(crate) fn moment(&self, tick: Tick) -> BootTime {
        self.scenario.moment(self.id, tick)
    }

    pub(crate) fn is(&self, weakened: &str) -> bool {
        self.scenario.is(weakened)
    }

    /// The moment from which a "yes" counts that was asked for at `sent` and arrives now.
    pub(crate) fn counts_from(&self, sent: Tick) -> BootTime {
        self.moment(if self.is("a_deadline_from_the_reply") { self.now } else { sent })
    }
}

impl Client {
    pub(crate) fn new(listens: Listens) -> Self {
        Self { listens, ..Self::default() }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.listens != Listens::Nowhere
    }

    pub(crate) fn task(&self, step: &Step<'_>) -> Option<Task> {
        step.scenario.clients[usize::from(step.id)].get(usize::from(self.done)).copied()
    }

    /// Whether the process acts on the belief that it has the lock. A lease past its deadline is no lease any more.
    pub(crate) fn believes(&self) -> Option<u8> {
        self.lease.as_ref().map(|lease| lease.number)
    }

    /// Whether a token is of any use to the process.
    pub(crate) fn uses(&self, number: u8) -> bool {
        self.believes() == Some(number) || self.pending.as_ref().is_some_and(|pending| pending.number == number)
    }

    fn pending(&mut self, number: u8) -> Option<&mut Pending> {
        self.pending.as_mut().filter(|pending| pending.number == number)
    }

    pub(crate) fn lease(&mut self, number: u8) -> Option<&mut Lease> {
        self.lease.as_mut().filter(|lease| lease.number == number)
    }

    /// Whether a packet that arrives would change anything. A number never comes back.
    pub(crate) fn heeds(&self, packet: &Packet) -> bool {
        let number = packet.token.number;
        let has = self.believes() == Some(number);
        self.is_alive()
            && match packet.body {
                Body::Busy { .. } | Body::Closed | Body::Free => self.uses(number) && !has,
                Body::Granted { .. } | Body::Wanted => self.uses(number),
                Body::HandedOver { .. } => !has,
                Body::Renewed { renewal, .. } => {
                    has && self.lease.as_ref().is_some_and(|lease| lease.renewal == Some(renewal))
                }
                Body::Released => self.releases.iter().any(|release| release.number == number),
                Body::Acquire { .. } | Body::Renew { .. } | Body::Release => true,
            }
    }

    pub(crate) fn can_ask(&self, step: &Step<'_>) -> bool {
        self.pending.is_none() && self.lease.is_none() && self.task(step).is_some()
    }

    pub(crate) fn ask(&mut self, step: &mut Step<'_>) {
        let Some(Task { ttl, fenced, .. }) = self.task(step) else { return };
        let (number, validity) = (self.number, HandOverValidity::default());
        let (last, nudged, answered, contended) = (step.now, false, false, false);
        self.pending = Some(Pending { number, ttl, fenced, validity, last, nudged, open: 0, answered, contended });
        self.number += 1;
        self.put(step, false);
    }

    pub(crate) fn can_ask_again(&self, step: &Step<'_>) -> bool {
        let has_no_deadline = step.is("a_sleeper_without_a_deadline_of_its_own");
        let is_due = |pending: &Pending| pending.last < step.now && !(has_no_deadline && pending.answered);
        self.pending.as_ref().is_some_and(|pending| pending.nudged || is_due(pending))
    }

    pub(crate) fn ask_again(&mut self, step: &mut Step<'_>) {
        self.put(step, true);
    }

    fn put(&mut self, step: &mut Step<'_>, again: bool) {
        let Some(pending) = &mut self.pending else { return };
        pending.validity.request_sent(step.moment(step.now));
        (pending.last, pending.nudged) = (step.now, false);
        pending.open += 1;
        let again = again && !step.is("a_plain_command_that_is_put_again");
        step.send(pending.number, Body::Acquire { ttl: pending.ttl, again, fenced: pending.fenced });
    }

    /// The task that the request was for goes away: it was cancelled, or waited for long enough.
    pub(crate) fn cancel(&mut self, step: &mut Step<'_>) {
        let Some(pending) = self.pending.take() else { return };
        self.done += 1;
        if !step.is("a_cancelled_request_that_is_forgotten") {
            self.give_back(step, pending.number, pending.open > 0);
        }
    }

    /// Releases a token, and sees to it that this is carried out.
    pub(crate) fn give_back(&mut self, step: &mut Step<'_>, number: u8, doubt: bool) {
        if self.releases.iter().any(|release| release.number == number) {
            return;
        }
        let until = step.now + step.scenario.longest_ttl() + 1;
        if !step.is("a_cancelled_request_that_is_released_once") {
            self.releases.push(PendingRelease { number, last: step.now, until, answered: false, doubt });
        }
        step.send(number, Body::Release);
    }

    pub(crate) fn can_release_again(&self, step: &Step<'_>) -> bool {
        self.releases.iter().any(|release| release.last < step.now)
    }

    pub(crate) fn release_again(&mut self, step: &mut Step<'_>) {
        if let Some(release) = self.releases.iter_mut().find(|release| release.last < step.now) {
            release.last = step.now;
            step.send(release.number, Body::Release);
        }
    }

    /// What the clock does: leases and turns end, and what is to be released is settled by the TTL.
    pub(crate) fn tick(&mut self, step: &mut Step<'_>) {
        let now = step.moment(step.now);
        let lost = self.lease.as_ref().is_some_and(|lease| lease.deadline <= now);
        if self.turn.is_some_and(|turn| lost || turn.limit.is_some_and(|limit| limit <= now)) {
            self.end();
        }
        if lost {
            self.release(step);
        }
        self.releases.retain(|release| release.until >= step.now);
    }

    /// A reply or message arrives.
    pub(crate) fn receive(&mut self, packet: Packet, step: &mut Step<'_>) {
        let Packet { token: Token { number, .. }, sent, body } = packet;
        match body {
            Body::Granted { first, waiting } => {
                if let Some(pending) = self.pending(number) {
                    pending.is_answered();
                    self.granted(step, step.counts_from(sent), first, waiting);
                } else if let Some(lease) = self.lease(number) {
                    lease.is_told(waiting, step);
                }
            }
            Body::Busy { last } => {
                if let Some(pending) = self.pending(number) {
                    pending.is_answered();
                    let last = if step.is("a_stale_message_that_is_believed") { last.min(1) } else { last };
                    pending.validity.answered_busy(step.moment(sent), u64::from(last));
                }
            }
            Body::Closed => {
                // It says nothing about a hand-over by the server before, whose message may be late.
                self.pending(number).into_iter().for_each(Pending::is_answered);
            }
            Body::HandedOver { fence, waiting } => self.handed_over(number, fence, waiting, step),
            Body::Renewed { renewal, yes, first } => self.renewed(number, renewal, yes, first, step),
            Body::Released => {
                if let Some(release) = self.releases.iter_mut().find(|release| release.number == number) {
                    release.answered = true;
                }
                self.releases.retain(|release| !release.answered || release.doubt);
            }
            Body::Wanted => {
                if let Some(pending) = self.pending(number) {
                    pending.contended = true;
                } else if let Some(lease) = self.lease(number) {
                    lease.is_told(true, step);
                }
            }
            Body::Free => self.pending(number).into_iter().for_each(|pending| pending.nudged = true),
            Body::Acquire { .. } | Body::Renew { .. } | Body::Release => unreachable!("{packet:?} is for the store"),
        }
    }

    fn handed_over(&mut self, number: u8, fence: u8, waiting: bool, step: &mut Step<'_>) {
        let Some(pending) = self.pending(number) else {
            if self.believes() != Some(number) {
                self.give_back(step, number, false);
            }
            return;
        };
        let from = match pending.validity.lease_start(u64::from(fence)) {
            Some(_) if step.is("a_deadline_from_the_message") => step.moment(step.now),
            Some(_) if step.is("a_deadline_from_the_last_request_instead_of_the_last_answered") => {
                step.moment(pending.last)
            }
            Some(from) => from,
            None => return,
        };
        self.granted(step, from, fence, waiting);
    }
}

impl Pending {
    fn is_answered(&mut self) {
        self.open -= 1;
        self.answered = true;
    }
}
