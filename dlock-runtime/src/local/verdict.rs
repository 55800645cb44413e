//! What the store said about a lock that somebody did not get.

use crate::types::{holder::Holder, store_error::StoreError};

/// A definite answer of the store, short of the lock, or that there is none.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Somebody else holds the lock.
    Busy(Holder),
    /// The store could not be asked.
    Failed(StoreError),
}
