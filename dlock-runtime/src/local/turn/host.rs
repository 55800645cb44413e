//! What a turn needs of the runtime that it belongs to. The runtime stands floors above, so that it comes as a trait.

use std::{any::Any, ops::Deref, sync::Arc};

use crate::{local::lease::Lease, observe::Observer, types::boot_time::BootTime};

/// The runtime of a turn. The floor that it stands on knows it again as what it is.
pub(crate) trait Host: Any + Send + Sync {
    fn observer(&self) -> &Observer;

    /// The keeper must look at `lease` by `due`.
    fn schedule(&self, lease: &Arc<Lease>, due: BootTime);

    /// One more [`Obligation`], or one less.
    fn count_obligation(&self);
    fn count_fulfilment(&self);
}

/// That a runtime owes the store a release, as long as this lasts: a shutdown waits for that.
pub(crate) struct Obligation(Arc<dyn Host>);

impl Obligation {
    pub(crate) fn host(&self) -> &Arc<dyn Host> {
        &self.0
    }

    pub(crate) fn of(host: Arc<dyn Host>) -> Self {
        host.count_obligation();
        Self(host)
    }
}

impl Deref for Obligation {
    type Target = dyn Host;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Drop for Obligation {
    fn drop(&mut self) {
        self.0.count_fulfilment();
    }
}
