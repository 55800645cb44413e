//! The way to a master of a cluster. It ends when another server has taken its place: what is under way then has to begin anew, elsewhere.

use std::{error::Error, fmt, sync::Arc};

use tokio::sync::watch;

use super::Place;
use crate::store::{ErrorClass, StoreError};

/// A master of a cluster, at its address, until it is none any more.
pub(in super::super) struct NodeRoute {
    pub(super) place: Arc<Place>,
    is_gone: watch::Sender<bool>,
}

impl NodeRoute {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, is_gone: watch::Sender::new(false) }
    }

    /// It is no master any more.
    pub(super) fn end(&self) {
        self.is_gone.send_replace(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.is_gone.borrow()
    }

    /// Returns when it is no master any more.
    pub(super) async fn left(&self) -> StoreError {
        // The sender lives as long as we do.
        _ = self.is_gone.subscribe().wait_for(|is_gone| *is_gone).await;
        self.gone()
    }

    pub(super) fn gone(&self) -> StoreError {
        StoreError::new(ErrorClass::Transient, Gone { from: Arc::clone(&self.place.name) })
    }
}

/// Another server has taken the place of this one.
#[derive(Debug)]
pub(in super::super) struct Gone {
    from: Arc<str>,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the cluster has given its slots to another server", self.from)
    }
}

impl Error for Gone {}
