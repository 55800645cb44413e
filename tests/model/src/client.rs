//! One client: a process with a keeper. Here is how it asks for the lock, waits, and sees a release through; `lease.rs` has the rest.
//!
//! Every method is one step that the process may take. That a step may also not be taken, for any time, is what a pause
//! is. What a step concludes is concluded by the rules of the runtime: `Grant`, `HandOverValidity`, `Fences`, `TurnStart`.

use crate::{
    Action, Task,
    hand_over::HandOverValidity,
    lease::Lease,
    network::{Body, Network, Packet},
    scenario::{Step, Tick},
    types::boot_time::BootTime,
};

/// What a process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// How many of its tasks had their turn, or were cancelled.
    pub(crate) done: u8,
    /// The number of its last request. A number never comes back.
    pub(crate) number: u8,
    /// The request of that number until it is granted, then the lease, as long as its deadline is not past.
    pub(crate) pending: Option<Pending>,
    pub(crate) lease: Option<Lease>,
    pub(crate) releases: Vec<PendingRelease>,
}

/// A request for the lock that is put to the store again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    validity: HandOverValidity,
    /// When it was last put.
    last: Tick,
    /// How many times it was put and not answered.
    pub(crate) open: u8,
    /// "Wanted" can arrive before the grant that it is about.
    pub(crate) contended: bool,
}

/// A token that the process has no use for, and that may have the lock or an entry in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PendingRelease {
    number: u8,
    last: Tick,
    /// Until when it is repeated. After that the TTL has done the work.
    until: Tick,
    /// An acquire may be carried out after the release: an answer ends nothing.
    doubt: bool,
}

impl Client {
    pub(crate) fn task(&self, step: &Step<'_>) -> Option<Task> {
        step.scenario.clients[usize::from(step.client)].get(usize::from(self.done)).copied()
    }

    /// Whether a token is of any use to the process.
    pub(crate) fn uses(&self, number: u8) -> bool {
        self.number == number && (self.pending.is_some() || self.lease.is_some())
    }

    /// Whether a reply or message would change anything.
    pub(crate) fn heeds(&self, Packet { token, sent, body, .. }: &Packet) -> bool {
        let (is_used, lease) = (self.uses(token.number), self.lease.as_ref());
        match body {
            Body::Busy { .. } => is_used && lease.is_none(),
            Body::HandedOver { .. } => !is_used || lease.is_none(),
            Body::Renewed { .. } => is_used && lease.is_some_and(|lease| lease.expects_answer_to(*sent)),
            Body::Released => self.releases.iter().any(|release| release.number == token.number && !release.doubt),
            _ => is_used,
        }
    }

    /// The steps that it has to take some time, the most urgent first. It asks nothing twice while the answer can come in order.
    pub(crate) fn due(&self, network: &Network, step: &Step<'_>) -> impl Iterator<Item = Action> + use<> {
        let id = step.client;
        let expects = |which: fn(&Body) -> bool| network.expects(id, |packet| which(&packet.body));
        let asks = |packet: &Packet| {
            matches!(packet.body, Body::Acquire { .. } | Body::Granted { .. } | Body::Busy { .. })
                && self.uses(packet.token.number)
        };
        let renews = |body: &Body| matches!(body, Body::Renew { .. } | Body::Renewed { .. });
        let releases = |body: &Body| matches!(body, Body::Release | Body::Released);
        let asks_now = match &self.pending {
            Some(pending) => pending.last < step.now && !network.expects(id, asks),
            None => self.lease.is_none() && self.task(step).is_some(),
        };
        let is_unreleased = self.releases.iter().any(|release| release.last < step.now);
        possible([
            (self.lease.as_ref().is_some_and(|lease| lease.turn.is_some()), Action::EndTurn(id)),
            (self.can_start_turn(step), Action::StartTurn(id)),
            (self.can_release(step), Action::Release(id)),
            (self.can_renew(step) && !expects(renews), Action::Renew(id)),
            (asks_now, Action::Ask(id)),
            (is_unreleased && !expects(releases), Action::ReleaseAgain(id)),
            (self.can_shorten(step) && !expects(renews), Action::Shorten(id)),
        ])
    }

    pub(crate) fn ask(&mut self, step: &mut Step<'_>) {
        let Some(task) = self.task(step) else { return };
        let again = self.pending.is_some();
        self.number += u8::from(!again);
        let pending = self.pending.get_or_insert_default();
        pending.validity.request_sent(step.moment(step.now));
        pending.last = step.now;
        pending.open += 1;
        let again = again && !step.is("a_plain_command_that_is_put_again");
        step.send(step.token(self.number), Body::Acquire { task, again });
    }

    /// The task that the request was for goes away: it was cancelled, or waited for long enough.
    pub(crate) fn cancel(&mut self, step: &mut Step<'_>) {
        let Some(pending) = self.pending.take() else { return };
        self.done += 1;
        if !step.is("a_cancelled_request_that_is_forgotten") {
            self.give_back(self.number, pending.open > 0, step);
        }
    }

    /// Releases a token, and sees to it that this is carried out.
    pub(crate) fn give_back(&mut self, number: u8, doubt: bool, step: &mut Step<'_>) {
        if self.releases.iter().any(|release| release.number == number) {
            return;
        }
        let until = step.now + step.scenario.longest_ttl() + 1;
        if !step.is("a_cancelled_request_that_is_released_once") {
            self.releases.push(PendingRelease { number, last: step.now, until, doubt });
        }
        step.send(step.token(number), Body::Release);
    }

    pub(crate) fn release_again(&mut self, step: &mut Step<'_>) {
        if let Some(release) = self.releases.iter_mut().find(|release| release.last < step.now) {
            release.last = step.now;
            step.send(step.token(release.number), Body::Release);
        }
    }

    /// What the clock does: leases and turns end, and what is to be released is settled by the TTL.
    pub(crate) fn tick(&mut self, step: &mut Step<'_>) {
        let now = step.moment(step.now);
        match &self.lease {
            Some(lease) if lease.deadline <= now => self.release(step),
            Some(lease) if lease.turn.is_some_and(|limit| limit <= now) => self.end_turn(),
            _ => {}
        }
        self.releases.retain(|release| release.until >= step.now);
    }

    /// A reply or message arrives.
    pub(crate) fn receive(&mut self, Packet { token, sent, body, .. }: Packet, step: &mut Step<'_>) {
        let number = token.number;
        let is_used = self.uses(number);
        match (body, &mut self.lease, &mut self.pending) {
            (Body::Released, ..) => self.releases.retain(|release| release.number != number || release.doubt),
            (Body::HandedOver { .. }, ..) if !is_used => self.give_back(number, false, step),
            _ if !is_used => {}
            (Body::Granted { waiting, .. }, Some(lease), _) => lease.is_told(waiting, step),
            (Body::Wanted, Some(lease), _) => lease.is_told(true, step),
            (Body::Renewed { yes, first }, ..) => self.renewed(sent, yes, first, step),
            (Body::Granted { first, waiting }, _, Some(pending)) => {
                pending.is_answered(step);
                self.granted(step.counts_from(sent), first, waiting, step);
            }
            (Body::HandedOver { fence, waiting }, _, Some(pending)) => {
                if let Some(from) = pending.lease_start(fence, step) {
                    self.granted(from, fence, waiting, step);
                }
            }
            (Body::Busy { last }, _, Some(pending)) => {
                pending.is_answered(step);
                let last = if step.is("a_stale_message_that_is_believed") { last.min(1) } else { last };
                pending.validity.answered_busy(step.moment(sent), u64::from(last));
            }
            (Body::Wanted, _, Some(pending)) => pending.contended = true,
            _ => {}
        }
    }
}

impl Pending {
    fn is_answered(&mut self, step: &Step<'_>) {
        self.open -= 1;
        if step.is("a_sleeper_without_a_deadline_of_its_own") {
            self.last = Tick::MAX;
        }
    }

    fn lease_start(&self, fence: u8, step: &Step<'_>) -> Option<BootTime> {
        let from = self.validity.lease_start(fence.into())?;
        Some(match step.scenario.weakened {
            "a_deadline_from_the_message" => step.moment(step.now),
            "a_deadline_from_the_last_request_instead_of_the_last_answered" => step.moment(self.last),
            _ => from,
        })
    }
}

pub(crate) fn possible<const N: usize>(actions: [(bool, Action); N]) -> impl Iterator<Item = Action> {
    actions.into_iter().filter_map(|(is_possible, action)| is_possible.then_some(action))
}
