//! The guard of a held lock.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    keeper::hold::Hold,
    key::LockKey,
    local::{
        body::{SupervisedBody, Supervisor},
        turn::Turn,
    },
    types::{boot_time::BootTime, error::LockError, options::OnLost},
};

/// A lock that is held.
///
/// The lock is renewed in the background until the guard is released or dropped. A guard by itself does not stop work
/// whose lock is lost: run the work through [`run`](Self::run), or call [`ensure_held`](Self::ensure_held) before each
/// write, and let the resource check the [`fence`](Self::fence).
///
/// Dropping a guard releases the lock in the background, at once. If that fails, only the log says so;
/// [`release`](Self::release) returns the error.
#[must_use = "a lock is released when its guard is dropped"]
pub struct Guard(Hold);

impl Guard {
    pub(crate) fn of(hold: Hold) -> Self {
        Self(hold)
    }

    fn turn(&self) -> &Arc<Turn> {
        self.0.turn()
    }

    /// The key of the lock.
    pub fn key(&self) -> &LockKey {
        &self.turn().key
    }

    /// The fence: a number below 2^53 that grows with every hold of a key. Store it with what you write, and let the
    /// resource refuse smaller ones: `UPDATE .. SET fence = $f WHERE id = $id AND fence <= $f`. It is 0 if the request was
    /// [`unfenced`](crate::LockRequest::unfenced).
    pub fn fence(&self) -> u64 {
        self.turn().fence()
    }

    /// How long the lock stays held if no renewal succeeds from now on. Zero if it is lost.
    pub fn remaining(&self) -> Duration {
        let now = BootTime::now();
        if self.turn().is_held_at(now) { self.turn().deadline().since(now) } else { Duration::ZERO }
    }

    /// Whether the lock is held now.
    pub fn is_held(&self) -> bool {
        self.turn().is_held()
    }

    /// Returns an error if the lock is not held now.
    ///
    /// # Errors
    /// [`LockError::Lost`] with the reason of the loss.
    pub fn ensure_held(&self) -> Result<(), LockError> {
        self.turn().ensure_held()
    }

    /// Renews the lock now, for its whole TTL. Needed only where background renewal is off.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock is lost. [`LockError::Unavailable`] if the store did not answer: the lock is still
    /// held for [`remaining`](Self::remaining).
    ///
    /// # Cancel safety
    /// If the future is dropped, the store may have renewed the lock all the same; the guard keeps the earlier deadline.
    pub async fn renew(&self) -> Result<(), LockError> {
        self.0.renew().await
    }

    /// Runs `body` while the lock is held. If the lock is lost, `body` is dropped at its next await, and with it what `body`
    /// owns, such as a transaction that rolls back.
    ///
    /// Requests for the same lock from inside `body` join this hold.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock was lost and `body` was dropped. If `body` came to its end first, its output is
    /// returned: [`ensure_held`](Self::ensure_held) or [`release`](Self::release) then says whether the lock was held until
    /// the end.
    ///
    /// # Cancel safety
    /// Dropping the future drops `body`. The guard keeps the lock.
    pub fn run<F: Future>(&self, body: F) -> impl Future<Output = Result<F::Output, LockError>> {
        SupervisedBody::new(body, Some(self.supervisor(OnLost::Cancel)))
    }

    pub(crate) fn supervisor(&self, on_lost: OnLost) -> Supervisor {
        Supervisor::new(self.turn(), on_lost)
    }

    /// Releases the lock and waits for the store to confirm it, unless
    /// [`confirm_release`](crate::Builder::confirm_release) is off.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock was lost before. [`LockError::Unavailable`] if the store did not answer: the runtime
    /// goes on trying in the background, and the TTL frees the lock at the latest.
    ///
    /// # Cancel safety
    /// If the future is dropped, the runtime releases the lock in the background.
    pub async fn release(self) -> Result<(), LockError> {
        self.0.release().await
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turn = self.turn();
        f.debug_struct("Guard")
            .field("key", &turn.key)
            .field("fence", &turn.fence())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
