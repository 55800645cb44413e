//! Asking for a lock.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    acquire::{self, Request},
    api::guard::Guard,
    keeper::{core::Engine, hold::Hold},
    key::LockKey,
    local::{
        reentry,
        turn::{Host, Obligation},
    },
    types::{
        clock::Moment,
        error::LockError,
        options::{MaxHold, Renew, Wait, Wishes},
    },
};

/// A lock that is about to be taken: [`Runtime::lock`](crate::Runtime::lock) makes one.
///
/// What is not set here comes from the runtime's builder.
#[derive(Clone)]
#[must_use = "a request does nothing until it is acquired"]
pub struct LockRequest {
    engine: Arc<Engine>,
    key: LockKey,
    wishes: Wishes,
    joins: bool,
    purpose: &'static str,
}

impl LockRequest {
    pub(crate) fn new(engine: Arc<Engine>, key: LockKey) -> Self {
        Self { engine, key, wishes: Wishes::default(), joins: true, purpose: "" }
    }

    pub(crate) fn with(mut self, wishes: Wishes, purpose: &'static str) -> Self {
        self.wishes = wishes;
        self.purpose = purpose;
        self
    }

    /// How soon others may go on if this process dies. At least 20 ms; counted in whole milliseconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.wishes.ttl = Some(ttl);
        self
    }

    /// How long to wait while somebody else holds the lock, or the store cannot be asked. Zero: try once.
    pub fn wait(mut self, wait: impl Into<Wait>) -> Self {
        self.wishes.wait = Some(wait.into());
        self
    }

    /// Whether, or how often, the lock is renewed while it is held.
    pub fn renew(mut self, renew: impl Into<Renew>) -> Self {
        self.wishes.renew = Some(renew.into());
        self
    }

    /// How long the lock may be held in all.
    pub fn max_hold(mut self, max_hold: impl Into<MaxHold>) -> Self {
        self.wishes.max_hold = Some(max_hold.into());
        self
    }

    /// What metrics and spans call the lock, instead of its template or `(by hand)`. There should be few labels, whatever the
    /// keys. An empty one is refused.
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

    /// Whether a task that holds this lock already joins its own hold (the default), or gets
    /// [`LockError::WouldDeadlock`].
    pub fn reentrant(mut self, joins: bool) -> Self {
        self.joins = joins;
        self
    }

    /// Takes the lock, waiting for it as long as [`wait`](Self::wait) says.
    ///
    /// Inside of [`Guard::run`] with a guard of the same lock it joins that hold: at once and without asking the store,
    /// whose troubles do not matter as long as the hold is valid. Where less than half of its TTL is left, the keeper is told
    /// to renew it now; one that is taken without renewal is renewed once before this returns, if the store answers.
    ///
    /// # Errors
    /// [`LockError::Busy`] if somebody else held it all the time, [`LockError::Unavailable`] if the store could not
    /// be asked, and the errors of a request that cannot work: [`InvalidKey`](LockError::InvalidKey),
    /// [`Config`](LockError::Config), [`WouldDeadlock`](LockError::WouldDeadlock), [`ShutDown`](LockError::ShutDown). In joining a hold,
    /// [`Lost`](LockError::Lost) if it was lost.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the request. If the store may have granted it, or may do so yet, the keeper
    /// gives the lock back.
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
        let Self { engine, key, wishes, joins, purpose } = self;
        engine.ensure_open()?;
        let terms = wishes.on(&engine.defaults)?;
        let name = engine.name_of(&key)?;
        if key.label().trim_start().is_empty() {
            return Err(LockError::config("label is empty, and it is what metrics and spans call the lock"));
        }
        if let Some(turn) = reentry::find(engine.identity, &name) {
            if !joins {
                return Err(LockError::WouldDeadlock { key });
            }
            if turn.join() {
                let hold = Hold::of(turn, engine);
                hold.join().await?;
                return Ok(Guard::of(hold));
            }
        }
        let host: Arc<dyn Host> = Arc::clone(&engine) as _;
        let (obligation, since) = (Obligation::of(host), Moment::now());
        acquire::acquire(Request { core: engine, obligation, key, name, terms, purpose, since }).await.map(Guard::of)
    }

    /// Takes the lock if nobody else holds it, and does not wait: `None` means busy.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), but for `Busy`.
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
        f.debug_struct("LockRequest").field("key", &self.key).field("wishes", &self.wishes).finish_non_exhaustive()
    }
}
