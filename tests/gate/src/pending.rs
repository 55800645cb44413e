//! Stands in for a request that is put to the store.

use std::sync::PoisonError;

use crate::{
    lock_id::LockId,
    once::Once,
    sync::{Mutex, MutexGuard},
};

pub(crate) struct PendingRequest {
    pub(crate) command: AcquireCommand,
    /// It becomes a lease, or is left to the store.
    pub(crate) fate: Once,
    /// A lock, as in the request itself, so that looking is a step.
    state: Mutex<State>,
}

pub(crate) struct AcquireCommand {
    pub(crate) lock_id: LockId,
}

#[derive(Default)]
struct State {
    heard: usize,
    contended: bool,
}

impl PendingRequest {
    pub(crate) fn new(lock_id: LockId) -> Self {
        let fate = Once::new(format!("request {}", lock_id.token.number));
        Self { command: AcquireCommand { lock_id }, fate, state: Mutex::default() }
    }

    pub(crate) fn notify_hand_over(&self, _fence: u64, _waiting: u64, _since: u64) {
        self.notify_free();
    }

    pub(crate) fn notify_free(&self) {
        self.state().heard += 1;
    }

    pub(crate) fn mark_contended(&self) {
        self.fate.must_last();
        self.state().contended = true;
    }

    pub(crate) fn is_contended(&self) -> bool {
        self.state().contended
    }

    #[expect(clippy::unused_self, reason = "whatever is asked for here may be handed over")]
    pub(crate) fn was_queued(&self) -> bool {
        true
    }

    pub(crate) fn recheck(&self) {}

    pub(crate) fn heard(&self) -> usize {
        self.state().heard
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
