//! One hold of a lock, used by the guard that took it and by all that joined it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    clock::Moment,
    context,
    desk::Owed,
    engine::Engine,
    error::{LockError, LostReason},
    give_back::Leftover,
    lease::Lease,
    observe,
    store::Fate,
};

/// For how many command timeouts a caller waits for a release to be confirmed. The keeper goes on after that.
const FOR_THE_CALLER: u32 = 3;

/// A lease, and how many guards use it. The last one to go gives it back.
pub(crate) struct Hold {
    pub(crate) lease: Arc<Lease>,
    pub(crate) engine: Arc<Engine>,
    users: AtomicUsize,
    /// As long as somebody may use it, the store is owed a release.
    _owed: Owed,
}

impl Hold {
    /// Takes charge of a fresh lease for its first user.
    pub(crate) fn new(lease: Arc<Lease>, engine: Arc<Engine>) -> Arc<Self> {
        let owed = engine.keeper.desk().owe();
        engine.keeper.hold(&lease);
        Arc::new(Self { lease, engine, users: AtomicUsize::new(1), _owed: owed })
    }

    /// One more user, unless the last one has gone.
    pub(crate) fn join(&self) -> bool {
        let joined = |users: usize| (users > 0).then(|| users + 1);
        self.users.fetch_update(Ordering::AcqRel, Ordering::Acquire, joined).is_ok()
    }

    /// One user less; true for the last one.
    fn leave(&self) -> bool {
        self.users.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// A user goes and cannot wait for the store.
    pub(crate) fn drop_user(&self) {
        if self.leave() {
            drop(Ending::of(self));
        }
    }

    /// A user goes and waits for the store, if it is the last one.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock was not held any more, and what kept the store from releasing it.
    pub(crate) async fn release_user(&self) -> Result<(), LockError> {
        if !self.leave() {
            return self.lease.ensure_held();
        }
        // Whether it is held must be known before it ends.
        let held = self.lease.ensure_held();
        let mut ending = Ending::of(self);
        let lease = &self.lease;
        if lease.lost_because() == Some(LostReason::Gone) {
            ending.settled = !lease.in_doubt;
            return held;
        }

        let (desk, leftover) = (Arc::clone(self.engine.keeper.desk()), Leftover::of(lease));
        let patience = lease.terms.ttl.min(desk.command_timeout * FOR_THE_CALLER);
        let answer = context::run(&self.engine.keeper, async move { leftover.release(&desk, patience).await }).await?;
        match answer {
            Ok(released) => {
                ending.settled = !lease.in_doubt;
                if !released && held.is_ok() {
                    lease.note_loss(LostReason::Gone);
                    return Err(lease.loss());
                }
                held
            }
            Err(error) => {
                if error.fate == Fate::Refused {
                    observe::not_released(lease.key.label(), &error);
                    ending.settled = true;
                }
                held.and(Err(error.about(&lease.key)))
            }
        }
    }
}

/// A lease that is over for this process. Unless the store has settled it, the keeper does, also if the future
/// that asked the store is dropped half-way.
struct Ending<'a> {
    hold: &'a Hold,
    settled: bool,
}

impl<'a> Ending<'a> {
    fn of(hold: &'a Hold) -> Self {
        hold.engine.keeper.desk().ledger.strike(&hold.lease);
        let held = Moment::now().since(hold.lease.acquired);
        observe::held(hold.lease.key.label(), hold.lease.fence, held);
        Self { hold, settled: false }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.hold.engine.keeper.release(Leftover::of(&self.hold.lease));
        }
    }
}
