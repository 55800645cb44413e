//! A lock in hand: what its holder can do with it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    keeper::{executor, renewal},
    key::LockKey,
    local::{
        body::{Around, Running},
        queue::Left,
        turn::Turn,
    },
    types::{
        clock::Moment,
        error::{LockError, LostReason},
        options::OnLost,
    },
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
pub struct Guard {
    /// `None` once it was given back.
    turn: Option<Arc<Turn>>,
}

impl Guard {
    pub(crate) fn of(turn: Arc<Turn>) -> Self {
        Self { turn: Some(turn) }
    }

    pub(crate) fn turn(&self) -> &Arc<Turn> {
        let Some(turn) = &self.turn else { unreachable!("only `release` takes it, and that consumes the guard") };
        turn
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
        let turn = Arc::clone(self.turn());
        executor::run(&self.turn().engine.keeper, move || async move {
            let patience = turn.engine.keeper.desk().command_timeout;
            renewal::renew_now(&turn, patience).await
        })
        .await?
    }

    /// Sees to it that a hold that was joined does not end soon: where little is left and the keeper renews it, it is asked
    /// to do so now, and nobody waits for that.
    ///
    /// # Errors
    /// [`LockError::Lost`].
    pub(crate) async fn join(&self) -> Result<(), LockError> {
        let (turn, now) = (self.turn(), Moment::now());
        turn.ensure_held_at(now)?;
        if turn.has_enough_left(now) {
            return Ok(());
        }
        let desk = turn.engine.keeper.desk();
        // It is asked twice at most, and half of what is left stays for what is done under it.
        let patience = desk.command_timeout.min(turn.deadline().since(now) / 4);
        let turn = Arc::clone(turn);
        if turn.is_renewed() {
            if turn.can_gain() && turn.hurry() {
                desk.detach(async move {
                    _ = renewal::renew_now(&turn, patience).await;
                    turn.calm();
                });
            }
            return Ok(());
        }
        // Nobody else renews it. While it is held, a store that does not answer is no reason to fail.
        let renewing = move || async move { renewal::renew_now(&turn, patience).await };
        _ = executor::run(&self.turn().engine.keeper, renewing).await?;
        self.ensure_held()
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
    pub async fn release(mut self) -> Result<(), LockError> {
        match self.turn.take() {
            Some(turn) => release(turn).await,
            None => Ok(()),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        let now = Moment::now();
        if turn.leave()
            && let Some(left) = finish(&turn, now)
        {
            turn.released(now);
            turn.engine.keeper.desk().give_back(left);
        }
    }
}

/// A user goes. The last one passes the lease on, or waits for the store to take it back.
async fn release(turn: Arc<Turn>) -> Result<(), LockError> {
    // Whether it is held must be known before it ends.
    let now = Moment::now();
    let held = turn.ensure_held_at(now);
    if !turn.leave() {
        return held;
    }
    let desk = turn.engine.keeper.desk();
    match finish(&turn, now) {
        None => held,
        Some(Left::Lease(lease)) if desk.confirms => {
            let unsettled = desk.begin_to_give_back(lease);
            match executor::run(&turn.engine.keeper, || unsettled.settle_now()).await? {
                Ok(false) if held.is_ok() => {
                    turn.lose(LostReason::Gone);
                    Err(turn.loss())
                }
                Ok(_) => {
                    turn.released(now);
                    held
                }
                Err(error) => {
                    desk.observer.release_delayed(&turn, &error);
                    held.and(Err(error.about(&turn.key)))
                }
            }
        }
        Some(left) => {
            turn.released(now);
            desk.give_back(left);
            held
        }
    }
}

/// Ends the turn. Returns what is left to the store, if no other task goes on with it.
fn finish(turn: &Turn, now: Moment) -> Option<Left> {
    let place = turn.end(now)?;
    let left = place.pass(now);
    let desk = turn.engine.keeper.desk();
    if left.is_none() {
        // Others of this process go on with the lease, or it is parked.
        turn.released(now);
    }
    if left.is_none() && !desk.gates.linger().is_zero() {
        // It may be parked from now on.
        desk.ledger.enter(&turn.lease, now.after(desk.gates.linger()));
    }
    left
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
