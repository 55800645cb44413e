//! How something ended that a task of its own does once for all who wait for it.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    task::Poll,
};

use tokio::sync::Notify;

use super::super::{ErrorClass, StoreError};
use crate::{
    observe::caught::caught,
    system::{Handle, Id, lock},
};

/// How it ended, once it has.
#[derive(Default)]
pub(super) struct Outcome {
    outcome: OnceLock<Result<(), StoreError>>,
    has_come: Notify,
}

impl Outcome {
    /// Whether it has come.
    pub(super) fn is_there(&self) -> bool {
        self.outcome.get().is_some()
    }

    /// Waits for it.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) async fn wait(&self) -> Result<(), StoreError> {
        loop {
            let end = self.has_come.notified();
            if let Some(outcome) = self.outcome.get() {
                return outcome.clone();
            }
            end.await;
        }
    }
}

/// What is under way: one for each tokio runtime, as what is begun in one goes on only while that runs.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<Id, Arc<Outcome>>>);

impl UnderWay {
    /// What is under way in this tokio runtime, or the same begun anew.
    ///
    /// # Errors
    /// Outside of a tokio runtime.
    pub(super) fn begin<F>(&self, work: impl FnOnce() -> F) -> Result<Arc<Outcome>, StoreError>
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let here = Handle::try_current().map_err(|error| StoreError::new(ErrorClass::Permanent, error))?;
        let mut under_way = lock(&self.0);
        under_way.retain(|_, outcome| !outcome.is_there());
        if let Some(outcome) = under_way.get(&here.id()) {
            return Ok(Arc::clone(outcome));
        }
        let outcome = Arc::<Outcome>::default();
        under_way.insert(here.id(), Arc::clone(&outcome));
        let (work, ends) = (work(), Ends(Arc::clone(&outcome)));
        here.spawn(async move { ends.with(work.await) });
        Ok(outcome)
    }
}

/// Awaits all of them at once. Who is ready first comes first.
pub(super) async fn all<T>(mut waiting: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut ready = Vec::new();
    poll_fn(|cx| {
        waiting.retain_mut(|future| {
            let Poll::Ready(output) = future.as_mut().poll(cx) else { return true };
            ready.push(output);
            false
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    ready
}

/// The task's side: there is an outcome however the task ends, also with its runtime.
pub(super) struct Ends(pub(super) Arc<Outcome>);

impl Ends {
    pub(super) fn with(self, outcome: Result<(), StoreError>) {
        _ = self.0.outcome.set(outcome);
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.outcome.get_or_init(|| {
            let text = "the tokio runtime that was to connect has ended";
            Err(StoreError::new(ErrorClass::Transient, io::Error::new(io::ErrorKind::NotConnected, text)))
        });
        // The wakers are the program's, and may panic.
        caught(|| self.0.has_come.notify_waiters());
    }
}
