//! The task that acts for its process: it asks the store until it has a lease with enough left, or is out of time.

use std::{future::pending, sync::Arc, time::Duration};

use super::{
    Request,
    backoff::{Backoff, LONGEST},
    setback::{Asked, Next},
};
use crate::{
    keeper::state::KeeperState,
    local::{
        queue::{Baton, LastAnswer},
        turn::Opening,
        verdict::Verdict,
    },
    store::{ErrorClass, StoreError},
    types::{boot_time::BootTime, error::LockError, holder::Holder, options::Wait, settling::Settling},
};

/// However little time is left to wait, a reply that is under way gets this long to arrive.
pub(super) const LEAST_REPLY_TIME: Duration = Duration::from_millis(50);

/// A request that has the baton.
pub(super) struct Head {
    pub(super) request: Request,
    /// When the grant was asked for that is meant for this very request. See
    /// [`Lease::begin`](crate::local::lease::Lease::begin).
    pub(super) fresh: Option<BootTime>,
    /// What the store said before, to be returned if there is no time for another reply.
    before: Option<Verdict>,
    /// Whether a request that does not wait was put to the store twice.
    is_repeated: bool,
}

/// What one exchange with the store came to.
pub(super) enum Outcome {
    /// Look at the lease again.
    Changed,
    /// Somebody else holds the lock.
    Busy(Holder),
    /// The store grants nothing yet.
    Closed(Duration),
}

impl Head {
    pub(super) fn new(request: Request) -> Self {
        Self { request, fresh: None, before: None, is_repeated: false }
    }

    /// Asks until a turn can begin.
    ///
    /// # Errors
    /// As those of an acquire.
    pub(super) async fn run(
        &mut self,
        mut baton: Baton,
        backoff: &mut Backoff,
    ) -> Result<(Baton, Opening, BootTime), LockError> {
        let mut inherited = Self::inherited_answer(&baton);
        loop {
            self.request.core().ensure_open()?;
            let now = BootTime::now();
            if let Some(opening) = Opening::of(&baton, &self.request.terms, self.fresh, now) {
                return Ok((baton, opening, now));
            }
            if let Some((holder, at)) = inherited.take() {
                self.wait_while_busy(&baton, backoff, holder, at).await?;
                continue;
            }
            let limit = self.reply_time(backoff);
            let outcome = match baton.lease().cloned() {
                Some(lease) => self.renew_lease(&mut baton, &lease, limit).await,
                None => self.ask_once(&mut baton, backoff, limit).await,
            };
            match outcome {
                Ok(Outcome::Changed) => {}
                Ok(Outcome::Busy(holder)) => {
                    self.record_answer(&baton, Verdict::Busy(holder.clone()));
                    self.wait_while_busy(&baton, backoff, holder, BootTime::now()).await?;
                }
                Ok(Outcome::Closed(opens_in)) => self.wait_for_the_opening(&baton, backoff, opens_in).await?,
                // Boxed, as few need it, and all would have room for it.
                Err(error) => Box::pin(self.wait_after(&baton, backoff, error, limit)).await?,
            }
        }
    }

    /// The answer that the task before got just now to the request that this one goes on with. There is no need to ask at
    /// once: many tasks that time out one after another would each ask. Nor is there if a reply got lost since, as it does on a
    /// busy machine.
    fn inherited_answer(baton: &Baton) -> Option<(Holder, BootTime)> {
        baton.pending().filter(|pending| pending.was_queued() && pending.has_no_news())?;
        let answer = baton.last_answer()?;
        if let Verdict::Busy(holder) = answer.verdict { Some((holder, answer.at)) } else { None }
    }

    /// Waits while `holder` has the lock, which the store said at `since`.
    async fn wait_while_busy(
        &mut self,
        baton: &Baton,
        backoff: &mut Backoff,
        holder: Holder,
        since: BootTime,
    ) -> Result<(), LockError> {
        if !self.wait(baton, backoff, Some(&holder), since).await || Self::may_leave_it_to_others(baton, backoff) {
            return Err(self.busy(backoff, holder));
        }
        self.before = Some(Verdict::Busy(holder));
        Ok(())
    }

    /// Waits after an error of the store, unless it will not pass. `limit` is how long the store had to reply.
    async fn wait_after(
        &mut self,
        baton: &Baton,
        backoff: &mut Backoff,
        error: StoreError,
        limit: Duration,
    ) -> Result<(), LockError> {
        let asked = Asked {
            limit,
            command_timeout: self.state().command_timeout,
            wait: self.request.terms.wait,
            is_repeated: self.is_repeated,
        };
        match asked.after(&error, &mut self.before) {
            Next::EndAsBefore(Verdict::Busy(holder)) => return Err(self.busy(backoff, holder)),
            Next::EndAsBefore(Verdict::Failed(earlier)) => return Err(earlier.about(&self.request.key)),
            Next::End => return Err(error.about(&self.request.key)),
            Next::Repeat => {
                self.is_repeated = true;
                return Ok(());
            }
            Next::Wait => self.record_answer(baton, Verdict::Failed(error.clone())),
        }
        let waited = self.wait(baton, backoff, None, BootTime::now()).await;
        if !waited || Self::may_leave_it_to_others(baton, backoff) {
            return Err(error.about(&self.request.key));
        }
        Ok(())
    }

    /// Waits while the store grants nothing, which it does for another `opens_in`.
    async fn wait_for_the_opening(
        &mut self,
        baton: &Baton,
        backoff: &mut Backoff,
        opens_in: Duration,
    ) -> Result<(), LockError> {
        let error = StoreError::new(ErrorClass::Transient, Settling::new(opens_in));
        self.record_answer(baton, Verdict::Failed(error.clone()));
        let news = async {
            match baton.pending() {
                Some(pending) => pending.news().await,
                None => pending().await,
            }
        };
        // Who comes first is asked for when it opens, and is seen in the queue until then.
        let waited = backoff.wait_for(Some(opens_in), true, Duration::ZERO, news).await;
        if !waited || Self::may_leave_it_to_others(baton, backoff) {
            return Err(error.about(&self.request.key));
        }
        self.before = Some(Verdict::Failed(error));
        Ok(())
    }

    /// Waits until it is worth asking again; false if there is no time left for that. The last reply came at `since`.
    async fn wait(&self, baton: &Baton, backoff: &mut Backoff, holder: Option<&Holder>, since: BootTime) -> bool {
        let Some(pending) = baton.pending().cloned() else { return backoff.pause(None).await };
        // A holder that uses this library hands the lock over and says so. Others do not.
        let is_told = holder.is_some_and(|holder| !holder.is_foreign())
            && pending.command.waits
            && self.state().hears(&pending.command.lock_id);
        let age = BootTime::now().since(since);
        backoff.wait_for(holder.and_then(Holder::remaining), is_told, age, pending.news()).await
    }

    /// Whether the request is out of time and others go on with what is pending, so that a last command is not needed.
    fn may_leave_it_to_others(baton: &Baton, backoff: &Backoff) -> bool {
        backoff.is_over() && baton.has_followers() && baton.pending().is_some_and(|pending| pending.has_no_news())
    }

    /// Tells those who wait in the local queue what the store said. The head asks again within the longest pause and the time
    /// for a reply.
    fn record_answer(&self, baton: &Baton, verdict: Verdict) {
        let now = BootTime::now();
        let until = now.after(2 * LONGEST).after(self.state().command_timeout);
        baton.record_answer(LastAnswer { verdict, at: now, until });
    }

    /// How long the next reply may take.
    pub(super) fn reply_time(&self, backoff: &Backoff) -> Duration {
        self.time_to_ask(backoff).min(self.state().command_timeout)
    }

    /// How long the request may yet wait. One that does not wait gets an answer all the same.
    pub(super) fn time_to_ask(&self, backoff: &Backoff) -> Duration {
        if self.request.terms.wait == Wait::For(Duration::ZERO) {
            self.state().command_timeout
        } else {
            backoff.time_left().max(LEAST_REPLY_TIME)
        }
    }

    fn busy(&self, backoff: &Backoff, holder: Holder) -> LockError {
        LockError::Busy { key: self.request.key.clone(), waited: backoff.waited(), holder: Some(holder) }
    }

    pub(super) fn state(&self) -> &Arc<KeeperState> {
        self.request.core().keeper.state()
    }
}
