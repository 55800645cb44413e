//! What the store said to a request that did not get the lock.

use crate::types::{holder::Holder, store_error::StoreError};

/// The answer of the store, or that there was none.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Somebody else holds the lock.
    Busy(Holder),
    /// The store did not answer, or could not be asked.
    Failed(StoreError),
}
