//! Releasing in the background: until the store has given a definite answer, or the TTL has done the work.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Moment,
    desk::{Desk, Owed},
    keeper::Keeper,
    lease::Lease,
    observe,
    store::{Answer, Claim, Fate, Reply, StoreError},
};

/// A lock in the store that nobody here uses any more.
pub(crate) struct Leftover {
    pub(crate) label: &'static str,
    pub(crate) name: Arc<str>,
    pub(crate) token: Arc<str>,
    pub(crate) ttl: Duration,
    /// A request to acquire it may be carried out yet.
    pub(crate) in_doubt: bool,
}

impl Leftover {
    pub(crate) fn of(lease: &Lease) -> Self {
        Self {
            label: lease.key.label(),
            name: Arc::clone(&lease.name),
            token: Arc::clone(&lease.token),
            ttl: lease.terms.ttl,
            in_doubt: lease.in_doubt,
        }
    }
}

impl Keeper {
    /// Releases `leftover` in the background, at once.
    pub(crate) fn release(&self, leftover: Leftover) {
        let desk = Arc::clone(self.desk());
        let owed = desk.owe();
        self.detach(async move { leftover.settle(&desk, owed).await });
    }

    /// Sees through a request whose caller went away: if it was or may be granted, it is released.
    pub(crate) fn see_through(
        &self,
        label: &'static str,
        claim: Arc<Claim>,
        reply: Option<Reply<Answer>>,
        doubt: bool,
    ) {
        let desk = Arc::clone(self.desk());
        let owed = desk.owe();
        self.detach(async move {
            let answer = match reply {
                None => Err(StoreError::timed_out(Duration::ZERO)),
                Some(reply) => desk.in_time(reply).await,
            };
            let (granted, in_doubt) = match answer {
                Ok(Answer::Granted { .. }) => (true, doubt),
                Ok(Answer::Busy(_)) => (false, doubt),
                Err(error) => (false, doubt || error.fate == Fate::Unknown),
            };
            if !granted && !in_doubt {
                return;
            }
            let (name, token) = (Arc::clone(&claim.name), Arc::clone(&claim.token));
            let leftover = Leftover { label, name, token, ttl: claim.ttl, in_doubt };
            leftover.settle(&desk, owed).await;
        });
    }
}

impl Leftover {
    /// Asks until there is a definite answer, at most for `within`: true if the lock was ours until now.
    ///
    /// # Errors
    /// The last one, if there was no definite answer in time or there never will be one.
    pub(crate) async fn release(&self, desk: &Desk, within: Duration) -> Result<bool, StoreError> {
        let end = Moment::now().after(within);
        let mut pause = Duration::from_millis(10);
        let mut unheard = false;
        loop {
            let reply = desk.store.release(&self.name, &self.token, desk.command_timeout);
            let error = match desk.in_time(reply).await {
                // If an earlier answer got lost, it may have been this very release that freed the lock.
                Ok(released) => {
                    desk.gates.nudge(&self.name);
                    return Ok(released || unheard);
                }
                Err(error) => error,
            };
            if error.fate == Fate::Refused || Moment::now().after(pause) >= end {
                return Err(error);
            }
            unheard |= error.fate == Fate::Unknown;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Releases it by the keeper, which owes that to the store no longer than it takes.
    async fn settle(&self, desk: &Desk, owed: Owed) {
        // After the TTL the lock is free without that.
        match self.release(desk, self.ttl).await {
            Ok(_) => observe::keeper_released(self.label),
            Err(error) => observe::not_released(self.label, &error),
        }
        drop(owed);
        if self.in_doubt {
            self.make_sure(desk).await;
        }
    }

    /// A request that got no answer may sit in some buffer and be carried out after the release. Nobody would release
    /// what it takes, so the release is repeated, ever more rarely, for as long as its lease would last.
    async fn make_sure(&self, desk: &Desk) {
        let end = Moment::now().after(self.ttl);
        let mut pause = Duration::from_millis(50);
        while Moment::now().after(pause) < end {
            tokio::time::sleep(pause).await;
            pause *= 2;
            // No answer is as good as "not held": the next round asks again.
            _ = desk.in_time(desk.store.release(&self.name, &self.token, desk.command_timeout)).await;
        }
    }
}
