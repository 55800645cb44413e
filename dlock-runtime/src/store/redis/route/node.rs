//! The way to a master of a cluster. It ends when another server has taken its place: what is under way then has to begin anew, elsewhere.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use super::Place;
use crate::{
    observe::caught::caught,
    store::{ErrorClass, StoreError},
};

/// A master of a cluster, at its address, until it is none any more.
pub(in super::super) struct NodeRoute {
    pub(super) place: Arc<Place>,
    is_gone: AtomicBool,
    /// Notified when it is. Who waits is woken in the order of waiting, so that a world of the simulation can be run again.
    ended: Notify,
}

impl NodeRoute {
    pub(super) fn new(place: Arc<Place>) -> Self {
        Self { place, is_gone: AtomicBool::new(false), ended: Notify::new() }
    }

    /// It is no master any more.
    pub(super) fn end(&self) {
        self.is_gone.store(true, Ordering::Release);
        // The wakers are the program's, and may panic.
        caught(|| self.ended.notify_waiters());
    }

    pub(super) fn has_ended(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Returns when it is no master any more.
    pub(super) async fn left(&self) -> StoreError {
        // Before the look, so that the end is not missed.
        let ended = self.ended.notified();
        if !self.has_ended() {
            ended.await;
        }
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
