//! The command by which a lease was acquired, and what of it is not over.

use crate::{
    store::{AcquireCommand, PriorGrant},
    sync::Arc,
};

/// What acquired a lease.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// The command, if something of it is not over.
    command: Option<Arc<AcquireCommand>>,
    is_doubtful: bool,
    is_guarded: bool,
}

impl Origin {
    /// `is_doubtful` says that a copy of the command got no reply: the store may carry that out at any time, even after the
    /// release. `is_guarded` says that the lease may have to come back after a failover.
    pub(crate) fn new(command: &Arc<AcquireCommand>, is_doubtful: bool, is_guarded: bool) -> Self {
        let is_needed = is_doubtful || is_guarded || command.since().is_some();
        Self { command: is_needed.then(|| Arc::clone(command)), is_doubtful, is_guarded }
    }

    /// The command, if a copy of it may be carried out yet.
    pub(crate) fn doubt(&self) -> Option<&Arc<AcquireCommand>> {
        self.command.as_ref().filter(|_| self.is_doubtful)
    }

    /// The command, if the store can compare the value that it set.
    pub(crate) fn taken_by(&self) -> Option<&Arc<AcquireCommand>> {
        self.command.as_ref().filter(|command| command.since().is_some())
    }

    /// How a guarded store knows the lease after a failover, whose last fence is given.
    pub(crate) fn prior_grant(&self, last_fence: u64) -> Option<PriorGrant> {
        let acquired_by = self.command.clone().filter(|_| self.is_guarded)?;
        Some(PriorGrant { last_fence, acquired_by })
    }

    pub(crate) fn is_guarded(&self) -> bool {
        self.is_guarded
    }
}
