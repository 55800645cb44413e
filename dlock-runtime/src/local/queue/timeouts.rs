//! Ends the wait of tasks that are out of time. A timer for each task would cost as much as a turn, so the keeper looks when
//! the first of all waiters may time out.
//!
//! Each queue has a heap of its deadlines and each shard a heap of its queues, so that the work grows with those who time
//! out and not with those who wait.

use std::{cmp::Reverse, time::Duration};

use super::{LocalQueues, Shard, lock, waiter::Wakeups};
use crate::{
    sync::{Arc, Ordering},
    types::boot_time::BootTime,
};

/// If nothing is known about the lock, one waiter that is out of time asks the store. The others wait so much longer for the
/// answer.
pub(super) const GRACE: Duration = Duration::from_millis(100);

impl LocalQueues {
    /// When the next waiter may time out.
    pub(crate) fn next_timeout(&self) -> BootTime {
        BootTime::from_bits(self.next_timeout.load(Ordering::SeqCst))
    }

    /// Ends the wait of those who are out of time.
    pub(crate) fn expire_waiters(&self, now: BootTime) {
        // A task that enters after this store announces its timeout again, or is seen below.
        self.next_timeout.store(BootTime::NEVER.to_bits(), Ordering::SeqCst);
        let mut next = BootTime::NEVER;
        for shard in &self.shards {
            let mut wakeups = Wakeups::default();
            next = lock(shard).expire_waiters(now, &mut wakeups).min(next);
            wakeups.send();
        }
        self.next_timeout.fetch_min(next.to_bits(), Ordering::SeqCst);
    }

    /// Somebody may time out at `until`. The keeper is told if that is earlier than it knows.
    pub(super) fn announce_timeout(&self, until: BootTime) {
        let bits = until.to_bits();
        if bits < self.next_timeout.load(Ordering::SeqCst) && bits < self.next_timeout.fetch_min(bits, Ordering::SeqCst)
        {
            (self.wake_keeper)();
        }
    }
}

impl Shard {
    /// The queue `name` is to be looked at by `until`, earlier than it was to be.
    pub(super) fn schedule_check(&mut self, name: &Arc<str>, until: BootTime) {
        if self.checks.len() <= 2 * self.queues.len() + 64 {
            self.checks.push(Reverse((until, Arc::clone(name))));
            return;
        }
        // Most entries are out of date.
        let checks = self.queues.iter().filter_map(|(name, queue)| {
            let check_at = queue.followers.as_ref()?.check_at;
            (check_at < BootTime::NEVER).then(|| Reverse((check_at, Arc::clone(name))))
        });
        self.checks = checks.collect();
    }

    /// Ends the wait of those who are out of time. Returns when the next one may be.
    fn expire_waiters(&mut self, now: BootTime, wakeups: &mut Wakeups) -> BootTime {
        while let Some(Reverse((at, _))) = self.checks.peek() {
            if *at > now {
                return *at;
            }
            let Some(Reverse((at, name))) = self.checks.pop() else { break };
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            if queue.followers.as_ref().is_none_or(|followers| followers.check_at != at) {
                continue;
            }
            let next = queue.expire_waiters(now, now.after(GRACE), wakeups);
            if let Some(followers) = &mut queue.followers {
                followers.check_at = next;
            }
            if next < BootTime::NEVER {
                self.checks.push(Reverse((next, name)));
            }
        }
        BootTime::NEVER
    }
}
