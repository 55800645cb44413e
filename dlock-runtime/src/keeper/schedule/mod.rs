//! Which leases are held, by the time at which each needs attention next.
//!
//! Taking and releasing a lock touches nothing of the keeper but the schedule. The keeper's thread is woken only for a lease that
//! needs attention before the thread would look anyway. Most leases are given back long before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{local::lease::Lease, system::lock, types::boot_time::BootTime};

/// Leases that are due this soon are taken along, so that they share a pipeline.
pub(crate) const TOGETHER: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(crate) struct Schedule {
    entries: Mutex<Entries>,
    changed: Notify,
}

struct Entries {
    due: BTreeMap<(BootTime, u64), Arc<Lease>>,
    /// When the keeper will look without being woken.
    keeper_looks_at: BootTime,
    /// How far ahead it was woken the last time.
    ahead: Option<Duration>,
    closing: bool,
}

impl Default for Entries {
    fn default() -> Self {
        Self { due: BTreeMap::new(), keeper_looks_at: BootTime::NEVER, ahead: None, closing: false }
    }
}

impl Schedule {
    /// Adds a lease, unless it is scheduled for an earlier time or was given back meanwhile.
    pub(crate) fn add(&self, lease: &Arc<Lease>, due: BootTime) {
        // A task that begins a turn looks here after it has set the turn. The keeper takes a lease out before it looks at the
        // turn. So what one of them misses the other sees.
        if lease.due() <= due {
            return;
        }
        let mut entries = self.entries();
        if lease.is_closed() || lease.due() <= due {
            return;
        }
        entries.due.remove(&(lease.due(), lease.id()));
        lease.set_due(due);
        entries.due.insert((due, lease.id()), Arc::clone(lease));
        let wake = due < entries.keeper_looks_at;
        if wake {
            entries.keeper_looks_at = due;
            entries.ahead = Some(due.since(BootTime::now()));
        }
        drop(entries);
        if wake {
            self.changed.notify_one();
        }
    }

    /// Takes a lease out for good.
    pub(crate) fn remove(&self, lease: &Lease) {
        let mut entries = self.entries();
        lease.close();
        entries.due.remove(&(lease.due(), lease.id()));
        lease.set_due(BootTime::NEVER);
        let wake = entries.closing && entries.due.is_empty();
        drop(entries);
        if wake {
            self.changed.notify_one();
        }
    }

    /// Takes out the leases that need attention now. The keeper adds those again that go on.
    pub(crate) fn take_due(&self, now: BootTime) -> Vec<Arc<Lease>> {
        let mut entries = self.entries();
        let later = entries.due.split_off(&(now.after(TOGETHER), 0));
        let due = std::mem::replace(&mut entries.due, later);
        due.into_values().inspect(|lease| lease.set_due(BootTime::NEVER)).collect()
    }

    /// Returns when a lease is due, at the time that `other` says, or when the schedule is closing.
    pub(crate) async fn next_due(&self, other: impl Fn() -> BootTime) {
        loop {
            let until = {
                let (mut entries, now) = (self.entries(), BootTime::now());
                let first = entries.due.first_key_value().map_or(BootTime::NEVER, |(&(due, _), _)| due);
                if first.min(other()) <= now {
                    return;
                }
                // The lease that woke the keeper may be gone by now, as most are. The keeper looks again when a lease of the
                // same kind would be due, or each of the next leases would wake it.
                let again = entries.ahead.take().map_or(BootTime::NEVER, |ahead| now.after(ahead));
                entries.keeper_looks_at = first.min(again);
                entries.keeper_looks_at.min(other()).since(now)
            };
            // Far less than forever, far more than any lease: what `Duration` of a sleep can hold.
            let nap = until.min(Duration::from_secs(24 * 60 * 60));
            let changed = tokio::time::timeout(nap, self.changed.notified()).await;
            if changed.is_ok() && self.is_closing() {
                return;
            }
        }
    }

    /// The runtime is gone: the keeper may end once there is nothing left to keep.
    pub(crate) fn close(&self) {
        self.entries().closing = true;
        self.changed.notify_one();
    }

    /// Tells the keeper to look up.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.entries().closing
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries().due.is_empty()
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        lock(&self.entries)
    }
}

#[cfg(test)]
mod tests;
