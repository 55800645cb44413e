//! Leave to have one more exchange under way. What is under way from one place is bounded: beyond that, requests wait here, where
//! no clock runs that measures the store.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Store;

/// Lasts as long as the exchange.
#[derive(Debug)]
pub(crate) struct Permit(
    #[expect(dead_code, reason = "it is given back when it is dropped")] Option<OwnedSemaphorePermit>,
);

impl Permit {
    /// A permit, if there is one at once.
    pub(crate) fn at_once(store: &dyn Store) -> Option<Self> {
        let Some(bound) = store.bound() else { return Some(Self(None)) };
        bound.try_acquire_owned().ok().map(|permit| Self(Some(permit)))
    }

    /// Waits for its turn, in the order of asking.
    pub(crate) async fn wait(store: &dyn Store) -> Self {
        let bound: Option<Arc<Semaphore>> = store.bound();
        match bound {
            // The semaphore is never closed.
            Some(bound) => Self(bound.acquire_owned().await.ok()),
            None => Self(None),
        }
    }
}
