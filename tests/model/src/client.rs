//! One client: a process with a keeper. Here is how it asks for the lock, waits, and sees a release through.
//!
//! Every method is one step that the process may take. That a step may also not be taken, for any time, is what a pause
//! is. What a step concludes is concluded by the rules of the runtime: `Grant`, `HandOverValidity`, `Fences`.

use std::hash::{Hash, Hasher};

use crate::{
    Scenario, Task, Weakened,
    clock::{BootTime, Tick},
    hand_over::HandOverValidity,
    lease::{Lease, Renewal, Turn},
    network::{Packet, Token},
    properties::Witness,
    store::Ear,
};

/// What a process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) crashed: bool,
    /// How many of its tasks had their turn, or were cancelled.
    pub(crate) done: u8,
    /// The number of its next request.
    number: u8,
    pub(crate) ask: Option<Ask>,
    pub(crate) lease: Option<Lease>,
    pub(crate) turn: Option<Turn>,
    pub(crate) owed: Vec<Owed>,
    pub(crate) ear: Ear,
}

/// By all that it answers: states are told apart by their hashes alone. No fence of the model is above `u8::MAX`.
impl Hash for HandOverValidity {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let highest = u64::from(u8::MAX);
        self.lease_start(highest).hash(hasher);
        (0..=highest).find(|fence| self.lease_start(*fence).is_some()).hash(hasher);
    }
}

/// A request for the lock that is put to the store again and again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    pub(crate) number: u8,
    pub(crate) ttl: Tick,
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
    pub(crate) wanted: bool,
}

/// A token that the process has no use for, and that may have the lock or a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owed {
    pub(crate) number: u8,
    last: Tick,
    /// Until when it is repeated. After that the TTL has done the work.
    until: Tick,
    answered: bool,
    doubt: bool,
}

/// Where and when a step is taken.
pub(crate) struct Step<'a> {
    pub(crate) id: u8,
    pub(crate) now: Tick,
    pub(crate) scenario: &'a Scenario,
    pub(crate) send: Vec<Packet>,
    pub(crate) witness: &'a mut Witness,
}

impl Step<'_> {
    pub(crate) fn token(&self, number: u8) -> Token {
        Token { client: self.id, number }
    }

    pub(crate) fn moment(&self, tick: Tick) -> BootTime {
        self.scenario.moment(self.id, tick)
    }

    pub(crate) fn is(&self, weakened: Weakened) -> bool {
        self.scenario.weakened == Some(weakened)
    }

    /// The moment from which a "yes" counts that was asked for at `sent` and arrives now.
    pub(crate) fn counts_from(&self, sent: Tick) -> BootTime {
        self.moment(if self.is(Weakened::DeadlineFromReply) { self.now } else { sent })
    }
}

impl Client {
    /// Nothing is left of it but what it sent.
    pub(crate) fn crashed() -> Self {
        Self { crashed: true, ..Self::default() }
    }

    pub(crate) fn task(&self, scenario: &Scenario, id: u8) -> Option<Task> {
        scenario.clients[usize::from(id)].tasks.get(usize::from(self.done)).copied()
    }

    /// Whether the process acts on the belief that it has the lock. A lease past its deadline is no lease any more.
    pub(crate) fn believes(&self) -> Option<u8> {
        self.lease.as_ref().map(|lease| lease.number)
    }

    /// Whether a packet that arrives would change anything. A number never comes back.
    pub(crate) fn heeds(&self, packet: &Packet) -> bool {
        let number = packet.token().number;
        let asked = self.ask.as_ref().is_some_and(|ask| ask.number == number);
        let lease = self.lease.as_ref().filter(|lease| lease.number == number);
        !self.crashed
            && match *packet {
                Packet::Busy { .. } | Packet::Free { .. } => asked,
                Packet::Granted { .. } | Packet::Wanted { .. } => asked || lease.is_some(),
                Packet::HandedOver { .. } => lease.is_none(),
                Packet::Renewed { ttl, shorten, sent, .. } => {
                    lease.is_some_and(|lease| lease.renewal == Some(Renewal { sent, ttl, shorten }))
                }
                Packet::Released { .. } => self.owed.iter().any(|owed| owed.number == number),
                _ => true,
            }
    }

    /// Whether a token is of any use to the process.
    pub(crate) fn uses(&self, token: Token) -> bool {
        let asked = self.ask.as_ref().is_some_and(|ask| ask.number == token.number);
        !self.crashed && (asked || self.believes() == Some(token.number))
    }

    pub(crate) fn can_ask(&self) -> bool {
        self.ask.is_none() && self.lease.is_none()
    }

    pub(crate) fn can_ask_again(&self, now: Tick, scenario: &Scenario) -> bool {
        let deaf = scenario.weakened == Some(Weakened::SleeperWithoutDeadline);
        self.ask.as_ref().is_some_and(|ask| ask.nudged || (ask.last < now && !(deaf && ask.answered)))
    }

    pub(crate) fn ask(&mut self, step: &mut Step<'_>, task: Task) {
        self.ask = Some(Ask {
            number: self.number,
            ttl: task.ttl,
            validity: HandOverValidity::default(),
            last: step.now,
            nudged: false,
            open: 0,
            answered: false,
            wanted: false,
        });
        self.number += 1;
        self.put(step, false);
    }

    pub(crate) fn ask_again(&mut self, step: &mut Step<'_>) {
        self.put(step, true);
    }

    fn put(&mut self, step: &mut Step<'_>, again: bool) {
        let Some(ask) = &mut self.ask else { return };
        ask.validity.request_sent(step.moment(step.now));
        ask.last = step.now;
        ask.nudged = false;
        ask.open += 1;
        step.send.push(Packet::Acquire { token: step.token(ask.number), ttl: ask.ttl, again, sent: step.now });
    }

    /// The task that the request was for goes away: it was cancelled, or waited for long enough.
    pub(crate) fn cancel(&mut self, step: &mut Step<'_>) {
        let Some(ask) = self.ask.take() else { return };
        self.done += 1;
        if !step.is(Weakened::CancelForgotten) {
            self.owe(step, ask.number, ask.open > 0);
        }
    }

    /// Releases a token, and sees to it that this is carried out.
    pub(crate) fn owe(&mut self, step: &mut Step<'_>, number: u8, doubt: bool) {
        if self.owed.iter().any(|owed| owed.number == number) {
            return;
        }
        let until = step.now + step.scenario.longest_ttl() + 1;
        self.owed.push(Owed { number, last: step.now, until, answered: false, doubt });
        step.send.push(Packet::Release { token: step.token(number), sent: step.now });
        if step.is(Weakened::ReleasedOnce) {
            self.owed.pop();
        }
    }

    /// The first token whose release is to be repeated now.
    pub(crate) fn can_release_again(&self, now: Tick) -> Option<usize> {
        self.owed.iter().position(|owed| owed.last < now)
    }

    pub(crate) fn release_again(&mut self, step: &mut Step<'_>, place: usize) {
        let owed = &mut self.owed[place];
        owed.last = step.now;
        step.send.push(Packet::Release { token: step.token(owed.number), sent: step.now });
    }

    /// What the clock does: leases and turns end, and what is owed is settled by the TTL.
    pub(crate) fn tick(&mut self, step: &mut Step<'_>) {
        let now = step.moment(step.now);
        let lost = self.lease.as_ref().is_some_and(|lease| lease.deadline <= now);
        if self.turn.is_some_and(|turn| lost || turn.limit.is_some_and(|limit| limit <= now)) {
            self.end();
        }
        if lost {
            self.release(step);
        }
        self.owed.retain(|owed| owed.until >= step.now);
    }

    /// A reply or message arrives.
    pub(crate) fn receive(&mut self, packet: Packet, step: &mut Step<'_>) {
        let number = packet.token().number;
        match packet {
            Packet::Granted { first, waiting, sent, .. } => {
                if let Some(ask) = self.ask.as_mut().filter(|ask| ask.number == number) {
                    ask.open -= 1;
                    ask.answered = true;
                    let from = step.counts_from(sent);
                    self.granted(step, from, first, waiting);
                } else if let Some(lease) = self.lease.as_mut().filter(|lease| lease.number == number) {
                    lease.tell(waiting, step);
                }
            }
            Packet::Busy { last, sent, .. } => {
                if let Some(ask) = self.ask.as_mut().filter(|ask| ask.number == number) {
                    ask.open -= 1;
                    ask.answered = true;
                    let last = if step.is(Weakened::StaleMessageBelieved) { last.min(1) } else { last };
                    ask.validity.answered_busy(step.moment(sent), u64::from(last));
                }
            }
            Packet::HandedOver { fence, waiting, .. } => self.handed_over(number, fence, waiting, step),
            Packet::Renewed { ttl, shorten, yes, first, sent, .. } => {
                self.renewed(number, Renewal { sent, ttl, shorten }, yes, first, step);
            }
            Packet::Released { .. } => {
                if let Some(owed) = self.owed.iter_mut().find(|owed| owed.number == number) {
                    owed.answered = true;
                }
                self.owed.retain(|owed| !owed.answered || owed.doubt);
            }
            Packet::Wanted { .. } => {
                if let Some(ask) = self.ask.as_mut().filter(|ask| ask.number == number) {
                    ask.wanted = true;
                } else if let Some(lease) = self.lease.as_mut().filter(|lease| lease.number == number) {
                    lease.tell(true, step);
                }
            }
            Packet::Free { .. } => {
                if let Some(ask) = self.ask.as_mut().filter(|ask| ask.number == number) {
                    ask.nudged = true;
                }
            }
            request => unreachable!("{request:?} is for the store"),
        }
    }

    fn handed_over(&mut self, number: u8, fence: u8, waiting: bool, step: &mut Step<'_>) {
        let Some(ask) = self.ask.as_mut().filter(|ask| ask.number == number) else {
            if self.believes() != Some(number) {
                self.owe(step, number, false);
            }
            return;
        };
        let from = match ask.validity.lease_start(u64::from(fence)) {
            Some(_) if step.is(Weakened::DeadlineFromMessage) => step.moment(step.now),
            Some(_) if step.is(Weakened::DeadlineFromLastQuestion) => step.moment(ask.last),
            Some(from) => from,
            None => return,
        };
        self.granted(step, from, fence, waiting);
    }
}
