//! Asking for a lock.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    acquire::{self, Request},
    api::guard::Guard,
    keeper::{core::Core, hold::Hold},
    key::LockKey,
    local::{
        reentry,
        turn::{Host, Obligation},
    },
    types::{
        boot_time::BootTime,
        error::LockError,
        options::{MaxHold, Overrides, Renew, Terms, Wait},
    },
};

/// A lock that is about to be taken: [`Runtime::lock`](crate::Runtime::lock) makes one.
///
/// Options that are not set here come from the runtime's [`Builder`](crate::Builder).
#[derive(Clone)]
#[must_use = "a request does nothing until it is acquired"]
pub struct LockRequest {
    core: Arc<Core>,
    key: LockKey,
    overrides: Overrides,
    joins: bool,
    purpose: &'static str,
}

impl LockRequest {
    pub(crate) fn new(core: Arc<Core>, key: LockKey) -> Self {
        Self { core, key, overrides: Overrides::default(), joins: true, purpose: "" }
    }

    pub(crate) fn with(mut self, overrides: Overrides, purpose: &'static str) -> Self {
        self.overrides = overrides;
        self.purpose = purpose;
        self
    }

    /// Lease TTL: how long the lock outlives a crashed holder. At least 20 ms, at most 365 days; counted in whole
    /// milliseconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.overrides.ttl = Some(ttl);
        self
    }

    /// How long to wait while somebody else holds the lock or the store does not answer. Zero tries once.
    pub fn wait(mut self, wait: impl Into<Wait>) -> Self {
        self.overrides.wait = Some(wait.into());
        self
    }

    /// Whether, or how often, the lock is renewed in the background while it is held.
    pub fn renew(mut self, renew: impl Into<Renew>) -> Self {
        self.overrides.renew = Some(renew.into());
        self
    }

    /// The longest time for which the lock may be held, renewals included. Past it the lock is lost.
    pub fn max_hold(mut self, max_hold: impl Into<MaxHold>) -> Self {
        self.overrides.max_hold = Some(max_hold.into());
        self
    }

    /// The name of the lock in metrics and spans, instead of its template or `(by hand)`. Use few different labels, however
    /// many keys there are. An empty label is refused.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), dlock_runtime::LockError> {
    /// # let runtime = dlock_runtime::Runtime::builder().embedded().build().await?;
    /// # let day = 7;
    /// let guard = runtime.lock(format!("report:{day}")).label("report").acquire().await?;
    /// assert_eq!(guard.key().label(), "report");
    /// # guard.release().await
    /// # }
    /// ```
    pub fn label(mut self, label: &'static str) -> Self {
        self.key = self.key.with_label(label);
        self
    }

    /// The lock needs no fence: [`Guard::fence`] is then 0, which every resource that saw a fence refuses. That saves the store
    /// about half of the work of an acquire.
    pub fn unfenced(mut self) -> Self {
        self.overrides.unfenced = true;
        self
    }

    /// What a task gets that already holds this lock: it joins its own hold (`true`, the default), or gets
    /// [`LockError::WouldDeadlock`] (`false`).
    pub fn reentrant(mut self, joins: bool) -> Self {
        self.joins = joins;
        self
    }

    /// Takes the lock, and waits for it as long as [`wait`](Self::wait) says.
    ///
    /// Inside [`Guard::run`] of a guard of the same lock, the request joins that hold: at once and without a round trip, and
    /// also while the store does not answer. If less than half of the hold's TTL is left, it is renewed now: in the
    /// background, or, if the hold is one without renewal, once before this returns.
    ///
    /// # Errors
    /// - [`LockError::Busy`] if somebody else held the lock all the time.
    /// - [`LockError::Unavailable`] if the store did not answer.
    /// - [`LockError::Lost`] if the request joined a hold that was lost.
    /// - [`InvalidKey`](LockError::InvalidKey), [`Config`](LockError::Config),
    ///   [`WouldDeadlock`](LockError::WouldDeadlock) and [`ShutDown`](LockError::ShutDown) for a request that cannot
    ///   succeed however long it waits.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the request. If the store has granted it, or may still do so, the runtime releases the
    /// lock in the background.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), dlock_runtime::LockError> {
    /// use std::time::Duration;
    /// use dlock_runtime::Runtime;
    ///
    /// let runtime = Runtime::builder().embedded().build().await?;
    /// let guard = runtime.lock("report:daily").ttl(Duration::from_secs(5)).acquire().await?;
    /// println!("fence {}, {:?} left", guard.fence(), guard.remaining());
    /// guard.release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn acquire(self) -> Result<Guard, LockError> {
        // The fields stay where they are until the request takes them: to move them about costs as much as a turn's locks.
        self.core.ensure_open()?;
        let terms = self.core.terms(&self.overrides)?;
        let name = self.core.namespace.name(&self.key).map_err(|flaw| LockError::invalid_key(&self.key, flaw))?;
        if self.key.has_no_label() {
            return Err(LockError::config("label is empty, and it is what metrics and spans call the lock"));
        }
        if let Some(turn) = reentry::find(self.core.identity, &name) {
            if !self.joins {
                return Err(LockError::WouldDeadlock { key: self.key });
            }
            if turn.join() {
                return Box::pin(Self::join(Hold::of(turn), terms)).await;
            }
        }
        // What is moved here is the only count of the runtime that a turn takes.
        let (obligation, since) = (Obligation::of(self.core as Arc<dyn Host>), BootTime::now());
        let request = Request { obligation, key: self.key, name, terms, purpose: self.purpose, since };
        match acquire::acquire(request).await {
            Ok(hold) => Ok(Guard::of(hold)),
            Err(error) => Err(*error),
        }
    }

    /// One more user of a turn that this task holds.
    async fn join(hold: Hold, terms: Terms) -> Result<Guard, LockError> {
        hold.join(&terms).await?;
        Ok(Guard::of(hold))
    }

    /// Takes the lock if nobody else holds it, and does not wait. `None` means that somebody else holds it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), except `Busy`.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn try_acquire(self) -> Result<Option<Guard>, LockError> {
        match self.wait(Duration::ZERO).acquire().await {
            Ok(guard) => Ok(Some(guard)),
            Err(LockError::Busy { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for LockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockRequest")
            .field("key", &self.key)
            .field("overrides", &self.overrides)
            .finish_non_exhaustive()
    }
}
