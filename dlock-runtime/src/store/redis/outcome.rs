//! How something ended that a task of its own does once for all who wait for it.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use tokio::sync::Notify;

use super::super::{ErrorClass, StoreError};
use crate::observe::caught::caught;

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
