//! A turn of a task, with the keeper that releases it when it ends. It releases itself when it is dropped, wherever that is: what a
//! finished acquire returns is one from the first moment on.

use std::{sync::Arc, time::Duration};

use crate::{
    keeper::{core::Core, executor, renewal, state::KeeperState},
    local::{queue::ToRelease, turn::Turn},
    types::{
        boot_time::BootTime,
        error::{LockError, LostReason},
        options::Terms,
    },
};

/// A turn in hand. It may have several, of all that joined it; the last one that goes ends the turn.
pub(crate) struct Hold {
    /// `None` once it was given back.
    turn: Option<Arc<Turn>>,
}

impl Hold {
    pub(crate) fn of(turn: Arc<Turn>) -> Self {
        Self { turn: Some(turn) }
    }

    pub(crate) fn turn(&self) -> &Arc<Turn> {
        let Some(turn) = &self.turn else { unreachable!("only `release` takes it, and that consumes the hold") };
        turn
    }

    /// Renews it now, for its whole TTL.
    ///
    /// # Errors
    /// If it is lost, or the store did not answer.
    pub(crate) async fn renew(&self) -> Result<(), LockError> {
        self.renew_within(0, Core::of(self.turn().host()).keeper.state().command_timeout).await?
    }

    /// Renews it now, and reserves `fences`. The outer error says that nothing could be asked.
    async fn renew_within(&self, fences: u32, limit: Duration) -> Result<Result<(), LockError>, LockError> {
        let (turn, keeper) = (Arc::clone(self.turn()), &Core::of(self.turn().host()).keeper);
        let state = Arc::clone(keeper.state());
        executor::run(keeper, move || async move { renewal::renew_now(&state, &turn, fences, limit).await }).await
    }

    /// Sees to it that a hold that was joined does not end soon: where little is left and the keeper renews it, it is asked
    /// to do so now, and nobody waits for that.
    ///
    /// # Errors
    /// [`LockError::Lost`]; and what kept the store from giving a fence, if one is asked for first now.
    pub(crate) async fn join(&self, terms: &Terms) -> Result<(), LockError> {
        let (turn, now) = (self.turn(), BootTime::now());
        turn.ensure_held_at(now)?;
        if terms.fenced && turn.fence() == 0 {
            return self.take_fence().await;
        }
        if turn.has_enough_left(now) {
            return Ok(());
        }
        let keeper = &Core::of(turn.host()).keeper;
        // It is asked twice at most, and half of what is left stays for what is done under it.
        let limit = keeper.state().command_timeout.min(turn.deadline().since(now) / 4);
        if turn.is_renewed() {
            if turn.can_gain() && turn.hurry() {
                let (state, turn) = (Arc::clone(keeper.state()), Arc::clone(turn));
                keeper.state().detach(async move {
                    _ = renewal::renew_now(&state, &turn, 0, limit).await;
                    turn.calm();
                });
            }
            return Ok(());
        }
        // Nobody else renews it. While it is held, a store that does not answer is no reason to fail.
        _ = self.renew_within(0, limit).await?;
        self.turn().ensure_held()
    }

    /// Takes a fence for a turn that was taken without one.
    async fn take_fence(&self) -> Result<(), LockError> {
        // Those that the lease has come first: a new one is above all of them, and turns after this one would take them yet.
        if let Some(fence) = self.turn().lease.take_fence() {
            self.turn().set_fence(fence);
            return Ok(());
        }
        self.renew_within(1, Core::of(self.turn().host()).keeper.state().command_timeout).await?
    }

    /// Goes. The last one passes the lease on, or waits for the store to take it back.
    ///
    /// # Errors
    /// [`LockError::Lost`] if it was lost before, and what kept the store from answering.
    pub(crate) async fn release(mut self) -> Result<(), LockError> {
        let Some(turn) = self.turn.take() else { return Ok(()) };
        // Whether it is held must be known before it ends.
        let now = BootTime::now();
        let is_held = turn.is_held_at(now);
        let held = || if is_held { Ok(()) } else { Err(turn.loss()) };
        if !turn.leave() {
            return held();
        }
        let keeper = &Core::of(turn.host()).keeper;
        let state = keeper.state();
        match finish(state, &turn, now) {
            None => held(),
            Some(ToRelease::Lease(lease)) if state.confirms => {
                let awaited = state.begin_to_give_back(lease);
                match executor::run(keeper, || awaited.wait()).await? {
                    Ok(false) if is_held => {
                        turn.lose(LostReason::Gone);
                        Err(turn.loss())
                    }
                    Ok(_) => {
                        turn.released(now);
                        held()
                    }
                    Err(error) => {
                        state.observer.release_delayed(&turn.hold(), &error);
                        held().and(Err(error.about(&turn.key)))
                    }
                }
            }
            Some(left) => {
                turn.released(now);
                state.give_back(left);
                held()
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        let now = BootTime::now();
        if !turn.leave() {
            return;
        }
        let state = Core::of(turn.host()).keeper.state();
        if let Some(left) = finish(state, &turn, now) {
            turn.released(now);
            state.give_back(left);
        }
    }
}

/// Ends the turn. Returns what is left to the store, if no other task goes on with it.
fn finish(state: &KeeperState, turn: &Turn, now: BootTime) -> Option<ToRelease> {
    let left = state.pass_on(turn.end(now)?, &turn.lease, now);
    if left.is_none() {
        // Others of this process go on with the lease, or it is parked.
        turn.released(now);
    }
    left
}
