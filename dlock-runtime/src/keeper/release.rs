//! Giving back to the store what nobody here uses any more: leases, requests, seats in the queue. Until the store has
//! given a definite answer, or the TTL has done the work.

use std::{sync::Arc, time::Duration};

use crate::{
    keeper::{
        executor,
        state::{Desk, Owed},
    },
    local::{
        lease::Lease,
        pending::{InFlight, PendingRequest},
        queue::ToRelease,
    },
    protocol::token::Ticket,
    store::{Answer, Fate, Leaving, Reply, StoreError},
    types::{clock::Moment, error::LostReason},
};

/// For how many command timeouts a caller waits for a release to be confirmed. The keeper goes on after that.
const FOR_THE_CALLER: u32 = 3;

/// How long a hand-over is fought for that nobody asked for: about what its lease may last.
const UNASKED: Duration = Duration::from_secs(10);

/// Something in the store that nobody here uses any more.
pub(crate) struct Leftover {
    label: &'static str,
    leaving: Leaving,
    ttl: Duration,
    /// A request to acquire it may be carried out yet.
    in_doubt: bool,
}

impl Leftover {
    /// `None` if the store has nothing of it.
    fn of(left: &ToRelease) -> Option<Self> {
        match left {
            ToRelease::Lease(lease) if lease.lost_because() == Some(LostReason::Gone) && lease.doubt.is_none() => None,
            ToRelease::Lease(lease) => Some(Self {
                label: lease.label,
                leaving: Leaving {
                    ticket: lease.ticket.clone(),
                    fences: Some(lease.fences()),
                    // What is carried out late may also queue.
                    seat: lease.doubt.clone().filter(|claim| claim.waits),
                },
                // What is carried out late takes the lock for as long as was asked for then.
                ttl: lease.ttl().max(lease.doubt.as_ref().map_or(Duration::ZERO, |claim| claim.ttl)),
                in_doubt: lease.doubt.is_some(),
            }),
            ToRelease::Request(pending) => Some(Self {
                label: pending.label,
                leaving: pending.release_command()?,
                ttl: pending.claim.ttl,
                in_doubt: pending.in_doubt(),
            }),
        }
    }

    /// Asks until there is a definite answer, at most for `within`: true if the lock was ours until now.
    ///
    /// # Errors
    /// The last one, if there was no definite answer in time or there never will be one.
    async fn release(&self, desk: &Desk, within: Duration) -> Result<bool, StoreError> {
        let end = Moment::now().after(within);
        let mut pause = Duration::from_millis(10);
        let mut unheard = false;
        loop {
            let reply = self.ask(desk);
            let error = match desk.in_time(reply).await {
                // If an earlier answer got lost, it may have been this very release that freed the lock.
                Ok(released) => return Ok(released || unheard),
                Err(error) => error,
            };
            if is_final(&error) || Moment::now().after(pause) >= end {
                return Err(error);
            }
            unheard |= error.fate == Fate::Unknown;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    pub(crate) fn ask(&self, desk: &Desk) -> Reply<bool> {
        desk.store.release(self.leaving.clone(), desk.command_timeout)
    }

    /// Whether the answer to a question says that it is released.
    pub(crate) fn is_settled_by(&self, desk: &Desk, answer: &Result<bool, StoreError>) -> bool {
        if answer.is_ok() {
            desk.observer.keeper_released(self.label);
        }
        answer.is_ok() && !self.in_doubt
    }

    /// Releases it by the keeper, which owes that to the store no longer than it takes.
    fn settle(self, desk: Arc<Desk>) -> impl Future<Output = ()> + Send {
        let owed = desk.owe();
        self.settle_owed(desk, owed)
    }

    pub(crate) async fn settle_owed(self, desk: Arc<Desk>, owed: Owed) {
        // After the TTL the lock is free without that.
        match self.release(&desk, self.ttl).await {
            Ok(_) => desk.observer.keeper_released(self.label),
            Err(error) => self.is_not_released(&desk, &error),
        }
        drop(owed);
        if self.in_doubt {
            self.make_sure(&desk).await;
        }
    }

    /// It was given up.
    fn is_not_released(&self, desk: &Desk, error: &StoreError) {
        desk.observer.not_released(self.label, &self.leaving.ticket.name, error);
    }

    /// A request that got no answer may sit in some buffer and be carried out after the release. Nobody would release
    /// what it takes, so the release is repeated, ever more rarely, for as long as its lease would last.
    async fn make_sure(&self, desk: &Desk) {
        let end = Moment::now().after(self.ttl);
        let mut pause = Duration::from_millis(50);
        while Moment::now().after(pause) < end {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            // No answer is as good as "not held": the next round asks again.
            _ = desk.in_time(self.ask(desk)).await;
        }
    }
}

impl Desk {
    /// Gives back what is left, in the background, at once.
    pub(crate) fn give_back(self: &Arc<Self>, left: ToRelease) {
        let desk = Arc::clone(self);
        self.close(&left);
        match left {
            ToRelease::Lease(_) => {
                let Some(leftover) = Leftover::of(&left) else { return };
                // In order with what the caller asks next, where that is possible.
                if executor::is_known_to_be_fit_here() {
                    let reply = leftover.ask(self);
                    self.confirm_later(leftover, reply);
                } else {
                    self.detach(leftover.settle(desk));
                }
            }
            ToRelease::Request(pending) => {
                let owed = self.owe();
                self.detach(async move {
                    see_through(&desk, &pending).await;
                    if let Some(leftover) = Leftover::of(&ToRelease::Request(pending)) {
                        // It is settled with the first definite answer, and not only when all doubt is over.
                        leftover.settle_owed(desk, owed).await;
                    }
                });
            }
        }
    }

    /// Gives back what a message says was handed to us, though nobody waits for it any more.
    pub(crate) fn give_back_ticket(self: &Arc<Self>, ticket: Ticket) {
        let leaving = Leaving { ticket, fences: None, seat: None };
        let leftover = Leftover { label: "(departed)", leaving, ttl: UNASKED, in_doubt: false };
        self.detach(leftover.settle(Arc::clone(self)));
    }

    /// Gives back all leases that are kept for nobody.
    pub(crate) fn give_back_parked(self: &Arc<Self>) {
        for lease in self.queues.close() {
            self.give_back(ToRelease::Lease(lease));
        }
    }

    /// Nobody uses a lease any more, and a caller will wait until it is given back.
    pub(crate) fn begin_to_give_back(self: &Arc<Self>, lease: Arc<Lease>) -> Unsettled {
        let left = ToRelease::Lease(lease);
        self.close(&left);
        Unsettled { desk: Arc::clone(self), leftover: Leftover::of(&left) }
    }

    /// Nobody may act under a lease from here on.
    fn close(&self, left: &ToRelease) {
        if let ToRelease::Lease(lease) = left {
            self.ledger.strike(lease);
            self.observer.turns(lease.label, lease.turns());
        }
    }
}

/// What a caller began to release. If the caller goes away or gives up, the keeper goes on.
pub(crate) struct Unsettled {
    desk: Arc<Desk>,
    leftover: Option<Leftover>,
}

impl Unsettled {
    /// Gives it back. False if it was not ours any more.
    ///
    /// # Errors
    /// What kept the store from answering.
    pub(crate) async fn settle_now(mut self) -> Result<bool, StoreError> {
        let Some(leftover) = &self.leftover else { return Ok(false) };
        let patience = leftover.ttl.min(self.desk.command_timeout.saturating_mul(FOR_THE_CALLER));
        let answer = leftover.release(&self.desk, patience).await;
        let settled = match &answer {
            Ok(_) => !leftover.in_doubt,
            Err(error) => {
                let refused = is_final(error);
                if refused {
                    leftover.is_not_released(&self.desk, error);
                }
                refused
            }
        };
        if settled {
            self.leftover = None;
        }
        answer
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some(leftover) = self.leftover.take() {
            self.desk.detach(leftover.settle(Arc::clone(&self.desk)));
        }
    }
}

/// Whether the store will say the same the next time.
fn is_final(error: &StoreError) -> bool {
    matches!(error.fate, Fate::Refused | Fate::WrongType)
}

/// Waits for the answer to a question whose task went away: only then a release is sure to come after it.
async fn see_through(desk: &Desk, pending: &PendingRequest) {
    let Some(InFlight { asked, reply }) = pending.take_in_flight() else { return };
    match desk.in_time(reply).await {
        Ok(Answer::Granted { fence, waiting }) => {
            // Known to be ours: it is enough to say so once.
            pending.record_granted(fence, waiting, asked);
        }
        Ok(Answer::Busy { floor, .. }) => pending.record_busy(asked, floor),
        Err(error) if error.fate == Fate::Unknown => pending.mark_in_doubt(),
        Err(_) => {}
    }
}
