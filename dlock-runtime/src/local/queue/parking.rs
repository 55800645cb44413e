//! Idle leases, which are kept for a while so that the next task needs no round trip; and the end of all queues.

use super::{LocalQueues, lock, waiter::Wakeups};
use crate::{local::lease::Lease, sync::Arc, types::boot_time::BootTime};

impl LocalQueues {
    /// Until when the lease is parked, if it is.
    pub(crate) fn parked_until(&self, lease: &Arc<Lease>) -> Option<BootTime> {
        self.shard(&lease.lock_id.name).queues.get(&lease.lock_id.name).filter(|queue| queue.has(lease))?.parked
    }

    /// Takes out a lease that is parked.
    #[must_use]
    pub(crate) fn unpark(&self, lease: &Arc<Lease>) -> Option<Arc<Lease>> {
        let mut shard = self.shard(&lease.lock_id.name);
        let queue = shard.queues.get(&lease.lock_id.name).filter(|queue| queue.has(lease))?;
        queue.parked?;
        shard.queues.remove(&lease.lock_id.name)?.lease
    }

    /// Shuts the queues down: takes out all leases that are parked, and ends all waits. From now on nobody waits and no lease
    /// is parked.
    #[must_use]
    pub(crate) fn close(&self) -> Vec<Arc<Lease>> {
        let mut parked = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.closing = true;
            let mut wakeups = Wakeups::default();
            shard.queues.values_mut().for_each(|queue| queue.close(&mut wakeups));
            let idle = shard.queues.extract_if(|_, queue| queue.parked.is_some());
            parked.extend(idle.filter_map(|(_, queue)| queue.lease));
            drop(shard);
            wakeups.send();
        }
        self.recheck_all();
        parked
    }
}
