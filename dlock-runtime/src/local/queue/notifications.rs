//! What the store says without being asked, about the locks of this process.

use super::{LocalQueues, lock};
use crate::{local::lease::Lease, protocol::token::LockId, sync::Arc, types::boot_time::BootTime};

/// What is remembered of a lease: its id, and the first fence above those that it had at first, or above all if it had none.
pub(super) type RecentLease = (u64, u64);

/// How many recent leases are remembered.
pub(super) const REMEMBERED_LEASES: usize = 256;

impl LocalQueues {
    /// A message says that the lock was handed to `lock_id`. False if nothing of this process goes by that lock_id any more, so
    /// that the lock is to be released.
    pub(crate) fn notify_hand_over(&self, lock_id: &LockId, fence: u64, waiting: u64) -> bool {
        let shard = self.shard(&lock_id.name);
        let queue = shard.queues.get(&lock_id.name);
        let pending = queue
            .and_then(|queue| queue.pending.clone())
            .filter(|pending| pending.command.lock_id.token == lock_id.token);
        let held = queue.and_then(|queue| queue.lease.as_ref()).is_some_and(|lease| lease.id() == lock_id.token.number);
        drop(shard);
        match pending {
            Some(pending) => {
                pending.notify_hand_over(fence, waiting);
                true
            }
            // A reply told of it first.
            None => held || self.is_remembered(lock_id.token.number, fence),
        }
    }

    /// Remembers a lease that came out of the store's queue. A message may tell of it later than the reply did, even after its
    /// end. Without this the keeper would release it then, and a guard that is about to release it would report a loss.
    pub(super) fn remember_lease(&self, lease: &Lease) {
        let mut recent = lock(&self.recent_leases);
        if recent.len() >= REMEMBERED_LEASES {
            recent.pop_front();
        }
        recent.push_back((lease.id(), lease.end_of_fences().unwrap_or(u64::MAX)));
    }

    /// Forgets a lease without fences, by which a message could be told from an earlier one. Its release was answered: whatever it is
    /// handed from now on is to be released.
    pub(crate) fn forget_lease(&self, id: u64) {
        lock(&self.recent_leases).retain(|recent| *recent != (id, u64::MAX));
    }

    /// Whether the message of `fence` tells of a lease that is remembered. One with a higher fence is another, by a command that was
    /// carried out late.
    fn is_remembered(&self, id: u64, fence: u64) -> bool {
        lock(&self.recent_leases).iter().any(|(known, end)| *known == id && fence < *end)
    }

    /// A message says that the lock is free for `lock_id`.
    pub(crate) fn notify_free(&self, lock_id: &LockId) {
        let pending = self.shard(&lock_id.name).queues.get(&lock_id.name).and_then(|queue| queue.pending.clone());
        if let Some(pending) = pending.filter(|pending| pending.command.lock_id.token == lock_id.token) {
            pending.notify_free();
        }
    }

    /// A message says that another client waits for what `lock_id` holds. Returns the lease if it is idle: it is to be released.
    #[must_use]
    pub(crate) fn notify_contended(&self, lock_id: &LockId, now: BootTime) -> Option<Arc<Lease>> {
        let mut shard = self.shard(&lock_id.name);
        let queue = shard.queues.get_mut(&lock_id.name)?;
        // The message can be faster than the reply that grants the lock.
        if let Some(pending) = queue.pending.as_ref().filter(|pending| pending.command.lock_id.token == lock_id.token) {
            pending.mark_contended();
        }
        let lease = queue.lease.as_ref().filter(|lease| lease.lock_id.token == lock_id.token)?;
        lease.mark_contended(now);
        self.note_contention(&lock_id.name, now);
        queue.parked?;
        shard.queues.remove(&lock_id.name)?.lease
    }

    /// Messages may have been missed: every pending request asks the store again.
    pub(crate) fn recheck_all(&self) {
        for shard in &self.shards {
            let requests = lock(shard).queues.values().filter_map(|queue| queue.pending.clone()).collect::<Vec<_>>();
            requests.iter().for_each(|pending| pending.recheck());
        }
    }
}
