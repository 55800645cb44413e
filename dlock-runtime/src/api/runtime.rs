//! A runtime: a store, a keeper, and the defaults for the locks taken through it.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering},
    time::Duration,
};

use crate::{
    acquire::backoff::Backoff,
    api::{builder::Builder, request::LockRequest},
    keeper::{core::Core, executor},
    key::LockKey,
    observe,
    types::{boot_time::BootTime, error::LockError, holder::Holder, options::Wait},
};

/// The runtime that annotated functions use unless they name another.
static INSTALLED: RwLock<Option<Runtime>> = RwLock::new(None);

/// Takes locks from one store. Cheap to clone; all clones are one runtime.
///
/// A runtime has a background thread that renews held locks and releases dropped ones. The thread ends after the last
/// clone and the last guard.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Core>);

impl Runtime {
    /// Starts to set up a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The installed runtime, which annotated functions use.
    ///
    /// # Errors
    /// [`LockError::NotInstalled`] if there is none.
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

    /// Starts a request for the lock `key`; [`LockRequest::acquire`] takes it.
    pub fn lock(&self, key: impl Into<LockKey>) -> LockRequest {
        LockRequest::new(Arc::clone(&self.0), key.into())
    }

    /// Whether anybody holds the lock, this process included.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] if the store did not answer, [`LockError::InvalidKey`], and [`LockError::Config`] if the
    /// store refuses to say.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn is_locked(&self, key: impl Into<LockKey> + Send) -> Result<bool, LockError> {
        Ok(self.inspect(key).await?.is_some())
    }

    /// Waits until nobody holds the lock, for `timeout` at most. Returns true if the lock was free. It is not taken, so
    /// somebody may hold it again when this returns.
    ///
    /// # Errors
    /// As [`is_locked`](Self::is_locked). A store that does not answer is asked again within `timeout`.
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
            let mut backoff = Backoff::new(timeout, Duration::ZERO);
            loop {
                let (answer, remaining) = match runtime.look(&key).await {
                    Ok(None) => return Ok(true),
                    Ok(Some(holder)) => (Ok(false), holder.remaining()),
                    Err(error) if error.is_unavailable() => (Err(error), None),
                    Err(error) => return Err(error),
                };
                if !backoff.pause(remaining).await {
                    return runtime.noted(answer);
                }
            }
        })
        .await?
    }

    /// Who holds the lock: host, process and function, since when, for how much longer, and how many wait for it.
    /// `None` if the lock is free.
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
        let name = self.0.namespace.name(key).map_err(|flaw| LockError::invalid_key(key, flaw))?;
        let state = self.0.keeper.state();
        let ask = || state.store.inspect(&name, state.command_timeout);
        let holder = state.with_retry(&name, ask).await.map_err(|error| error.about(key))?;
        Ok(holder.map(|holder| holder.and_waiters(state.queues.waiting(&name))))
    }

    /// Counts what failed in an outage.
    fn noted<T>(&self, answer: Result<T, LockError>) -> Result<T, LockError> {
        if answer.as_ref().is_err_and(LockError::is_unavailable) {
            self.0.keeper.state().observer.not_answered();
        }
        answer
    }

    /// Shuts the runtime down: requests get [`LockError::ShutDown`] from now on, also those that wait for a lock. Then waits,
    /// for `timeout` at most, until every lock is released, those that are still in use and those that were dropped. Returns
    /// true if this runtime leaves no lock behind. A lock that is still held after `timeout` stays held and renewed, and is
    /// released when its guard is dropped.
    ///
    /// Call it at the end of the program: the background thread does not outlive the process.
    ///
    /// # Cancel safety
    /// If the future is dropped, the runtime stays shut down and goes on releasing in the background.
    pub async fn shutdown(&self, timeout: Duration) -> bool {
        // In one order with `Obligation::of`: a request either sees this, or is seen by `settled`.
        self.0.shut_down.store(true, Ordering::SeqCst);
        let state = Arc::clone(self.0.keeper.state());
        state.give_back_parked();
        let drained = async move {
            let began = BootTime::now();
            let settled = tokio::time::timeout(timeout, state.settled()).await.is_ok();
            // What is reported of the last releases is out when this returns.
            let rest = timeout.saturating_sub(BootTime::now().since(began));
            _ = tokio::time::timeout(rest, observe::all_reported()).await;
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
