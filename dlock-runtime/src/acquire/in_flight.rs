//! The guard against cancellation: a command without a reply outlives the task that sent it.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    keeper::state::KeeperState,
    local::pending::{InFlight, PendingRequest},
    store::{AcquireReply, StoreError},
};

/// A task's wait for the reply to a command. If the task is cancelled, the command stays with the pending request, because the
/// store may carry it out all the same.
pub(super) struct AwaitReply<'a> {
    pending: &'a PendingRequest,
    in_flight: Option<InFlight>,
}

impl<'a> AwaitReply<'a> {
    pub(super) fn new(pending: &'a PendingRequest, in_flight: InFlight) -> Self {
        Self { pending, in_flight: Some(in_flight) }
    }

    /// Waits for at most `limit`. By reference, as an argument is kept twice by the future of an `async fn`.
    pub(super) async fn within(&mut self, state: &KeeperState, limit: Duration) -> Result<AcquireReply, StoreError> {
        let lock = &self.pending.command.lock_id.name;
        let Some(in_flight) = &mut self.in_flight else {
            return Err(StoreError::timed_out(&state.store.address_of(lock), limit));
        };
        let reply = state.within(lock, limit, &mut in_flight.reply).await;
        self.in_flight = None;
        reply
    }
}

impl Drop for AwaitReply<'_> {
    fn drop(&mut self) {
        // A command that was not written yet never will be, once it is dropped.
        if let Some(in_flight) = self.in_flight.take().filter(|_| self.pending.command.sent.load(Ordering::Acquire)) {
            self.pending.keep_in_flight(in_flight);
        }
    }
}
