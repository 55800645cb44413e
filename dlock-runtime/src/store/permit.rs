//! Leave to have one more exchange under way. What is under way from one place is bounded: beyond that, requests wait here, where
//! no clock runs that measures the store.

use std::time::Duration;

use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{Store, StoreError};

/// Lasts as long as the exchange.
#[derive(Debug)]
pub(crate) struct Permit(
    #[expect(dead_code, reason = "it is given back when it is dropped")] Option<OwnedSemaphorePermit>,
);

impl Permit {
    /// For what has a permit elsewhere.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// A permit for the lock `name`, if there is one at once.
    pub(crate) fn at_once(store: &dyn Store, name: &str) -> Option<Self> {
        let Some(bound) = store.bound(name) else { return Some(Self(None)) };
        bound.try_acquire_owned().ok().map(|permit| Self(Some(permit)))
    }

    /// Waits for its turn, in the order of asking, for at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::overloaded`].
    pub(crate) async fn within(store: &dyn Store, name: &str, limit: Duration) -> Result<Self, StoreError> {
        if let Some(permit) = Self::at_once(store, name) {
            return Ok(permit);
        }
        let Some(bound) = store.bound(name) else { return Ok(Self(None)) };
        match timeout(limit, bound.acquire_owned()).await {
            // The semaphore is never closed.
            Ok(permit) => Ok(Self(permit.ok())),
            Err(_) => Err(StoreError::overloaded(&store.address_of(name), limit)),
        }
    }
}
