//! Releases: what nobody here uses any more goes back to the store, be it a lease, a request or a queue entry. A release is
//! pending until the store has given a definite reply, or the TTL has passed.

use std::{sync::Arc, time::Duration};

use crate::{
    keeper::{executor, state::KeeperState},
    local::{
        lease::Lease,
        pending::{InFlight, PendingRequest},
        queue::ToRelease,
        turn::Obligation,
    },
    protocol::token::LockId,
    store::{AcquireReply, ErrorClass, Permit, ReleaseCommand, Reply, StoreError},
    types::{boot_time::BootTime, error::LostReason},
};

/// For how many command timeouts a caller waits for a release to be confirmed. The keeper goes on after that.
const FOR_THE_CALLER: u32 = 3;

/// How long the keeper tries to release a hand-over whose request has gone: about what its lease may last.
const UNASKED: Duration = Duration::from_secs(10);

/// A release that the store has not confirmed.
pub(crate) struct PendingRelease {
    label: &'static str,
    command: ReleaseCommand,
    ttl: Duration,
    /// An acquire command without a reply may be carried out yet.
    in_doubt: bool,
}

impl PendingRelease {
    /// `None` if there is nothing to release in the store.
    fn of(left: &ToRelease) -> Option<Self> {
        match left {
            ToRelease::Lease(lease)
                if lease.lost_because() == Some(LostReason::Gone) && lease.origin.doubt().is_none() =>
            {
                None
            }
            ToRelease::Lease(lease) => Some(Self {
                label: lease.label,
                command: ReleaseCommand {
                    lock_id: lease.lock_id.clone(),
                    // A command that is carried out late may also queue.
                    queue_entry: lease.origin.doubt().filter(|command| command.waits).cloned(),
                    is_unwanted: !lease.is_contended(),
                    last_fence: lease.last_fence(),
                    taken_by: lease.origin.taken_by().cloned(),
                },
                // A command that is carried out late takes the lock for the TTL that it asked for.
                ttl: lease.ttl().max(lease.origin.doubt().map_or(Duration::ZERO, |command| command.ttl)),
                in_doubt: lease.origin.doubt().is_some(),
            }),
            ToRelease::Request(pending) => Some(Self {
                label: pending.label,
                command: pending.release_command()?,
                ttl: pending.command.ttl,
                in_doubt: pending.in_doubt(),
            }),
        }
    }

    /// Sends the command until there is a definite reply, at most for `within`. True if the lock was ours until now.
    ///
    /// # Errors
    /// The last error, if there was no definite reply in time or there never will be one.
    async fn release(&self, state: &KeeperState, within: Duration) -> Result<bool, StoreError> {
        let mut permit = self.permit(state).await?;
        let end = BootTime::now().after(within);
        let mut pause = Duration::from_millis(10);
        let mut lost_reply = false;
        loop {
            let reply = self.send(state, permit);
            let error = match state.within_timeout(&self.command.lock_id.name, reply).await {
                // If an earlier reply got lost, an earlier copy of this release may have freed the lock.
                Ok(released) => {
                    self.is_answered(state);
                    return Ok(released || lost_reply);
                }
                Err(error) => error,
            };
            if is_final(&error) || BootTime::now().after(pause) >= end {
                return Err(error);
            }
            lost_reply |= error.class == ErrorClass::Indeterminate;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
            permit = self.permit(state).await?;
        }
    }

    /// Leave to send the command. After the TTL there is no need to.
    async fn permit(&self, state: &KeeperState) -> Result<Permit, StoreError> {
        Permit::within(&*state.store, &self.command.lock_id.name, self.ttl).await
    }

    fn send(&self, state: &KeeperState, permit: Permit) -> Reply<bool> {
        state.store.release(self.command.clone(), permit, state.command_timeout)
    }

    /// Whether a reply says that it is released.
    pub(crate) fn is_confirmed_by(&self, state: &KeeperState, reply: &Result<bool, StoreError>) -> bool {
        if reply.is_ok() {
            self.is_answered(state);
            state.observer.keeper_released(self.label);
        }
        reply.is_ok() && !self.in_doubt
    }

    /// What is carried out late may be handed the lock again.
    fn is_answered(&self, state: &KeeperState) {
        if self.in_doubt {
            state.queues.forget_lease(self.command.lock_id.token.number);
        }
    }

    /// Finishes it in the background. A shutdown waits for that.
    fn finish_counted(self, state: Arc<KeeperState>) -> impl Future<Output = ()> + Send {
        let obligation = Obligation::of(Arc::clone(&state));
        self.finish(state, obligation)
    }

    pub(crate) async fn finish(self, state: Arc<KeeperState>, obligation: Obligation<KeeperState>) {
        // After the TTL the lock is free anyway.
        match self.release(&state, self.ttl).await {
            Ok(_) => state.observer.keeper_released(self.label),
            Err(error) => self.is_not_released(&state, &error),
        }
        drop(obligation);
        if self.in_doubt {
            self.make_sure(&state).await;
        }
    }

    /// The release was given up.
    fn is_not_released(&self, state: &KeeperState, error: &StoreError) {
        state.observer.not_released(self.label, &self.command.lock_id.name, error);
    }

    /// An acquire command without a reply may sit in some buffer and be carried out after the release. Nobody would release
    /// what it takes. So the release is repeated, ever more rarely, for as long as its lease would last.
    async fn make_sure(&self, state: &KeeperState) {
        let end = BootTime::now().after(self.ttl);
        let mut pause = Duration::from_millis(50);
        while BootTime::now().after(pause) < end {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            // No reply is as good as "not held": the next round sends it again.
            if let Ok(permit) = self.permit(state).await {
                _ = state.within_timeout(&self.command.lock_id.name, self.send(state, permit)).await;
            }
        }
    }
}

impl KeeperState {
    /// Releases it in the background, beginning at once.
    pub(crate) fn give_back(self: &Arc<Self>, left: ToRelease) {
        let state = Arc::clone(self);
        self.close(&left);
        match left {
            ToRelease::Lease(_) => {
                let Some(pending) = PendingRelease::of(&left) else { return };
                // In order with the caller's next command, where that is possible.
                let is_fit = executor::is_known_to_be_fit_here();
                match is_fit.then(|| Permit::at_once(&*self.store, &pending.command.lock_id.name)).flatten() {
                    Some(permit) => {
                        let reply = pending.send(self, permit);
                        self.confirm_later(pending, reply);
                    }
                    None => self.detach(pending.finish_counted(state)),
                }
            }
            ToRelease::Request(pending) => {
                let obligation = Obligation::of(Arc::clone(self));
                self.detach(async move {
                    see_through(&state, &pending).await;
                    if let Some(pending) = PendingRelease::of(&ToRelease::Request(pending)) {
                        // The obligation ends with the first definite reply, not only when all doubt is over.
                        pending.finish(state, obligation).await;
                    }
                });
            }
        }
    }

    /// Releases a lock that was handed to a request which has gone.
    pub(crate) fn give_back_unasked(self: &Arc<Self>, lock_id: LockId) {
        let command = ReleaseCommand { lock_id, queue_entry: None, is_unwanted: false, last_fence: 0, taken_by: None };
        let pending = PendingRelease { label: "(departed)", command, ttl: UNASKED, in_doubt: false };
        self.detach(pending.finish_counted(Arc::clone(self)));
    }

    /// Releases all parked leases.
    pub(crate) fn give_back_parked(self: &Arc<Self>) {
        for lease in self.queues.close() {
            self.give_back(ToRelease::Lease(lease));
        }
    }

    /// Begins a release for which a caller will wait.
    pub(crate) fn begin_to_give_back(self: &Arc<Self>, lease: Arc<Lease>) -> AwaitedRelease {
        let left = ToRelease::Lease(lease);
        self.close(&left);
        AwaitedRelease { state: Arc::clone(self), pending: PendingRelease::of(&left) }
    }

    /// Takes a lease out of the schedule: from here on nobody may act under it.
    fn close(&self, left: &ToRelease) {
        if let ToRelease::Lease(lease) = left {
            self.schedule.remove(lease);
            self.observer.turns(lease.label, lease.turns());
        }
    }
}

/// A release for which a caller waits. If the caller goes away or gives up, the keeper goes on with it.
pub(crate) struct AwaitedRelease {
    state: Arc<KeeperState>,
    pending: Option<PendingRelease>,
}

impl AwaitedRelease {
    /// Waits for the release. False if the lock was not ours any more.
    ///
    /// # Errors
    /// Why there is no definite reply.
    pub(crate) async fn wait(mut self) -> Result<bool, StoreError> {
        let Some(pending) = &self.pending else { return Ok(false) };
        let limit = pending.ttl.min(self.state.command_timeout.saturating_mul(FOR_THE_CALLER));
        let reply = pending.release(&self.state, limit).await;
        let is_over = match &reply {
            Ok(_) => !pending.in_doubt,
            Err(error) => {
                let is_final = is_final(error);
                if is_final {
                    pending.is_not_released(&self.state, error);
                }
                is_final
            }
        };
        if is_over {
            self.pending = None;
        }
        reply
    }
}

impl Drop for AwaitedRelease {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.state.detach(pending.finish_counted(Arc::clone(&self.state)));
        }
    }
}

/// Whether the store will say the same the next time.
fn is_final(error: &StoreError) -> bool {
    matches!(error.class, ErrorClass::Permanent | ErrorClass::WrongType)
}

/// Waits for the reply to a command whose task went away: only after that, a release is sure to come last.
async fn see_through(state: &KeeperState, pending: &PendingRequest) {
    let Some(InFlight { asked, reply }) = pending.take_in_flight() else { return };
    match state.within_timeout(&pending.command.lock_id.name, reply).await {
        Ok(AcquireReply::Granted { fence, waiting }) => {
            // The lock is known to be ours: one release is enough.
            pending.record_granted(fence, waiting, asked);
        }
        Ok(AcquireReply::Busy { last_fence, .. }) => pending.record_busy(asked, last_fence),
        Ok(AcquireReply::Closed { .. }) => pending.record_closed(),
        Err(error) if error.class == ErrorClass::Indeterminate => pending.mark_in_doubt(),
        Err(_) => {}
    }
}
