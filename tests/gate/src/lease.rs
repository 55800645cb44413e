//! Stands in for a lease.

use std::sync::PoisonError;

use crate::{
    clock::BootTime,
    lock_id::LockId,
    once::Once,
    sync::{Mutex, MutexGuard},
};

pub(crate) struct Lease {
    pub(crate) lock_id: LockId,
    /// It is left to the store.
    pub(crate) fate: Once,
    /// A lock, as in the lease itself, so that looking is a step.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    turns: u32,
    in_use: bool,
    contended: bool,
}

/// After so many turns it is let go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) turns: bool,
    /// Once it is contended elsewhere.
    pub(crate) most_turns: u32,
    pub(crate) unbroken: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { turns: true, most_turns: 2, unbroken: 4 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yield {
    No,
    ToOthers,
    ToAnybody,
}

impl Lease {
    pub(crate) fn new(lock_id: LockId) -> Self {
        let fate = Once::new(format!("lease {}", lock_id.token.number));
        Self { lock_id, fate, state: Mutex::default() }
    }

    pub(crate) fn id(&self) -> u64 {
        self.lock_id.token.number
    }

    /// A task has its turn.
    pub(crate) fn take_turn(&self) {
        self.fate.must_last();
        let mut state = self.state();
        state.turns += 1;
        state.in_use = true;
        drop(state);
        shuttle::thread::yield_now();
        self.state().in_use = false;
        self.fate.must_last();
    }

    #[expect(clippy::unused_self, reason = "time stands still")]
    pub(crate) fn deadline(&self) -> BootTime {
        BootTime::NEVER
    }

    pub(crate) fn is_in_use(&self, _now: BootTime) -> bool {
        self.state().in_use
    }

    pub(crate) fn mark_contended(&self, _now: BootTime) {
        self.fate.must_last();
        self.state().contended = true;
    }

    pub(crate) fn is_contended(&self) -> bool {
        self.state().contended
    }

    pub(crate) fn must_yield(&self, share: &Share, _now: BootTime) -> Yield {
        let state = self.state();
        if !share.turns || (state.contended && state.turns >= share.most_turns) {
            Yield::ToOthers
        } else if state.turns >= share.unbroken {
            Yield::ToAnybody
        } else {
            Yield::No
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
