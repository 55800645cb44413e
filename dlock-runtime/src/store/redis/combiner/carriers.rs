//! How many tasks carry batches to the servers of a cluster.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts them. Its clones count together.
#[derive(Clone, Default)]
pub(in super::super) struct Carriers(Arc<AtomicUsize>);

impl Carriers {
    pub(super) fn set_out(&self) -> Carrier {
        self.0.fetch_add(1, Ordering::Relaxed);
        Carrier(self.clone())
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of them, until it is dropped: its tokio runtime may end before it comes back.
pub(super) struct Carrier(Carriers);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
