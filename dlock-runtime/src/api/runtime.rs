//! A runtime: a store, a keeper, and the defaults of the locks taken through it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use crate::{
    acquire::backoff::Patience,
    api::{builder::Builder, request::LockRequest},
    keeper::{core::Engine, executor},
    key::LockKey,
    observe,
    types::{clock::Moment, error::LockError, holder::Holder, options::Wait},
};

/// The runtime that annotated functions use unless they name another.
static INSTALLED: RwLock<Option<Runtime>> = RwLock::new(None);

/// Takes locks from one store. Cheap to clone; all clones are one runtime.
///
/// A runtime keeps one thread, which renews what is held and releases what was dropped. It ends after the last
/// clone and the last guard.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Engine>);

impl Runtime {
    /// Begins to set up a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The installed runtime.
    ///
    /// # Errors
    /// [`LockError::NotInstalled`].
    pub fn installed() -> Result<Self, LockError> {
        INSTALLED.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(LockError::NotInstalled)
    }

    /// Makes this the installed runtime. One that was shut down is replaced.
    ///
    /// # Errors
    /// [`LockError::Config`] if there is one already.
    pub(crate) fn install(self) -> Result<Self, LockError> {
        let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
        if installed.as_ref().is_some_and(|runtime| !runtime.0.is_shut_down()) {
            return Err(LockError::config(
                "a lock runtime is installed already; build another one and name it with `runtime = ...`",
            ));
        }
        *installed = Some(self.clone());
        Ok(self)
    }

    /// Begins a request for the lock `key`.
    pub fn lock(&self, key: impl Into<LockKey>) -> LockRequest {
        LockRequest::new(Arc::clone(&self.0), key.into())
    }

    /// Whether anybody holds the lock, this process included.
    ///
    /// # Errors
    /// [`LockError::Unavailable`], [`LockError::InvalidKey`] and [`LockError::Config`].
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn is_locked(&self, key: impl Into<LockKey> + Send) -> Result<bool, LockError> {
        Ok(self.inspect(key).await?.is_some())
    }

    /// Waits until nobody holds the lock, at most for `timeout`: true once it is free. Does not take it, so it may
    /// be held again by the time this returns.
    ///
    /// # Errors
    /// As [`is_locked`](Self::is_locked); a store that cannot be asked is asked again within `timeout`.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn wait_until_free(
        &self,
        key: impl Into<LockKey> + Send,
        timeout: impl Into<Wait> + Send,
    ) -> Result<bool, LockError> {
        let (key, timeout) = (key.into(), timeout.into());
        let runtime = self.clone();
        executor::run(&self.0.keeper, move || async move {
            let mut patience = Patience::new(timeout, Duration::ZERO);
            loop {
                let (answer, remaining) = match runtime.look(&key).await {
                    Ok(None) => return Ok(true),
                    Ok(Some(holder)) => (Ok(false), holder.remaining()),
                    Err(error) if error.is_unavailable() => (Err(error), None),
                    Err(error) => return Err(error),
                };
                if !patience.pause(remaining).await {
                    return runtime.noted(answer);
                }
            }
        })
        .await?
    }

    /// Who holds the lock: host, process and function, since when, for how long yet, and how many wait for it.
    /// `None` if nobody does.
    ///
    /// # Errors
    /// As [`is_locked`](Self::is_locked).
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn inspect(&self, key: impl Into<LockKey> + Send) -> Result<Option<Holder>, LockError> {
        let (key, runtime) = (key.into(), self.clone());
        executor::run(&self.0.keeper, move || async move { runtime.noted(runtime.look(&key).await) }).await?
    }

    async fn look(&self, key: &LockKey) -> Result<Option<Holder>, LockError> {
        let (name, desk) = (self.0.name_of(key)?, self.0.keeper.desk());
        let ask = || desk.store.inspect(&name, desk.command_timeout);
        let holder = desk.surely(ask).await.map_err(|error| error.about(key))?;
        Ok(holder.map(|holder| holder.and_waiters(desk.gates.waiting(&name))))
    }

    /// Counts what failed in an outage.
    fn noted<T>(&self, answer: Result<T, LockError>) -> Result<T, LockError> {
        if answer.as_ref().is_err_and(LockError::is_unavailable) {
            self.0.keeper.desk().observer.not_answered();
        }
        answer
    }

    /// Refuses requests, also those that wait for a lock, and waits, at most for `timeout`, until every lock is released:
    /// those whose holders are still at work, and those that were dropped. True if this runtime leaves no lock behind. Locks that are still
    /// held stay held and renewed, and are released when they are dropped.
    ///
    /// Call it at the end of the program: the keeper's thread does not outlive the process.
    ///
    /// # Cancel safety
    /// If the future is dropped, the keeper goes on, and the runtime stays shut down.
    pub async fn shutdown(&self, timeout: Duration) -> bool {
        // In one order with `Desk::owe`: a request either sees this, or is seen by `settled`.
        self.0.shut_down.store(true, Ordering::SeqCst);
        let desk = Arc::clone(self.0.keeper.desk());
        desk.give_back_parked();
        let drained = async move {
            let began = Moment::now();
            let settled = tokio::time::timeout(timeout, desk.settled()).await.is_ok();
            // What is told of the last releases is told when this returns.
            let rest = timeout.saturating_sub(Moment::now().since(began));
            _ = tokio::time::timeout(rest, observe::all_told()).await;
            settled
        };
        self.0.keeper.run(drained).await.unwrap_or(false)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("namespace", &self.0.namespace)
            .field("defaults", &self.0.defaults)
            .finish_non_exhaustive()
    }
}
