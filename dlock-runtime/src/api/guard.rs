//! A lock in hand: what its holder can do with it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    keeper::hold::Hold,
    key::LockKey,
    local::{
        body::{Around, Running},
        turn::Turn,
    },
    types::{clock::Moment, error::LockError, options::OnLost},
};

/// A lock that is held.
///
/// It is renewed in the background until it is released or dropped. A guard does not stop its holder by itself:
/// run the work through [`run`](Self::run), or ask [`ensure_held`](Self::ensure_held) before each write, and let
/// the resource check the [`fence`](Self::fence).
///
/// Dropping a guard releases the lock at once in the background. Nobody hears about trouble in that but the log;
/// [`release`](Self::release) tells.
#[must_use = "a lock is released when its guard is dropped"]
pub struct Guard(Hold);

impl Guard {
    pub(crate) fn of(hold: Hold) -> Self {
        Self(hold)
    }

    fn turn(&self) -> &Arc<Turn> {
        self.0.turn()
    }

    /// The lock.
    pub fn key(&self) -> &LockKey {
        &self.turn().key
    }

    /// A number that grows from hold to hold of a key, below 2^53. Store it with what you write, and let the
    /// resource refuse smaller ones: `UPDATE .. SET fence = $f WHERE id = $id AND fence <= $f`.
    pub fn fence(&self) -> u64 {
        self.turn().fence
    }

    /// How long the lock is held for certain if no renewal succeeds from now on. Zero if it is lost.
    pub fn remaining(&self) -> Duration {
        let now = Moment::now();
        if self.turn().is_held_at(now) { self.turn().deadline().since(now) } else { Duration::ZERO }
    }

    /// Whether the lock is held now.
    pub fn is_held(&self) -> bool {
        self.turn().is_held()
    }

    /// Fails if the lock is not held now.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    pub fn ensure_held(&self) -> Result<(), LockError> {
        self.turn().ensure_held()
    }

    /// Renews the lock now, for its whole TTL. There is no need to while background renewal is on.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock is lost, [`LockError::Unavailable`] if the store did not answer: then it is
    /// still held for [`remaining`](Self::remaining).
    ///
    /// # Cancel safety
    /// If the future is dropped, the lock may have been renewed in the store; the guard counts on the time that it
    /// knows of.
    pub async fn renew(&self) -> Result<(), LockError> {
        self.0.renew().await
    }

    /// Runs `body` while the lock is held. If the lock is lost, `body` is dropped at its next await, so that guards
    /// inside of it (of a transaction, say) undo what they guard, and the loss is returned.
    ///
    /// Requests for the same lock from inside of `body` join this hold.
    ///
    /// # Errors
    /// [`LockError::Lost`]. If `body` came to its end first, its output is returned; whether the lock was held to
    /// that very moment is what [`ensure_held`](Self::ensure_held) or [`release`](Self::release) tells.
    ///
    /// # Cancel safety
    /// Dropping the future drops `body`. The lock stays with the guard.
    pub fn run<F: Future>(&self, body: F) -> impl Future<Output = Result<F::Output, LockError>> {
        Running::new(body, Some(self.around(OnLost::Cancel)))
    }

    pub(crate) fn around(&self, on_lost: OnLost) -> Around {
        Around::new(self.turn(), on_lost)
    }

    /// Gives the lock back and waits for the store to confirm it.
    ///
    /// # Errors
    /// [`LockError::Lost`] if the lock was lost before. [`LockError::Unavailable`] if the store did not answer: the
    /// keeper goes on trying, and at the latest the TTL frees the lock.
    ///
    /// # Cancel safety
    /// If the future is dropped, the keeper releases the lock.
    pub async fn release(self) -> Result<(), LockError> {
        self.0.release().await
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turn = self.turn();
        f.debug_struct("Guard")
            .field("key", &turn.key)
            .field("fence", &turn.fence)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
