//! What a turn needs of the runtime that it belongs to. The runtime stands floors above, so that it comes as a trait.

use std::{any::Any, ops::Deref, sync::Arc};

use crate::{local::lease::Lease, observe::Observer, types::boot_time::BootTime};

/// The runtime of a turn. The floor that it stands on knows it again as what it is.
pub(crate) trait Host: Obligor + Any {
    fn observer(&self) -> &Observer;

    /// The keeper must look at `lease` by `due`.
    fn schedule(&self, lease: &Arc<Lease>, due: BootTime);
}

/// Who can owe the store a release.
pub(crate) trait Obligor: Send + Sync {
    /// One more [`Obligation`], or one less.
    fn count_obligation(&self);
    fn count_fulfilment(&self);
}

/// That the store is owed a release, as long as this lasts: a shutdown waits for that.
pub(crate) struct Obligation<O: Obligor + ?Sized = dyn Host>(Arc<O>);

impl<O: Obligor + ?Sized> Obligation<O> {
    pub(crate) fn of(obligor: Arc<O>) -> Self {
        obligor.count_obligation();
        Self(obligor)
    }

    pub(crate) fn obligor(&self) -> &Arc<O> {
        &self.0
    }
}

impl<O: Obligor + ?Sized> Deref for Obligation<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.0
    }
}

impl<O: Obligor + ?Sized> Drop for Obligation<O> {
    fn drop(&mut self) {
        self.0.count_fulfilment();
    }
}
