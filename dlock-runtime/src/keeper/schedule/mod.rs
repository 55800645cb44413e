//! Which leases are held, by the time at which each needs attention next.
//!
//! Taking and releasing a lock touches the ledger and nothing else of the keeper: its thread is woken only for a
//! lease that needs attention before the keeper would look anyway. Most leases are given back long before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{local::lease::Lease, types::clock::Moment};

/// Leases that are due this soon are taken along, so that they share a pipeline.
pub(crate) const TOGETHER: Duration = Duration::from_millis(5);

#[derive(Default)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
    news: Notify,
}

struct Pages {
    due: BTreeMap<(Moment, u64), Arc<Lease>>,
    /// When the keeper will look without being woken.
    keeper_looks_at: Moment,
    /// How far ahead it was woken the last time.
    ahead: Option<Duration>,
    closing: bool,
}

impl Default for Pages {
    fn default() -> Self {
        Self { due: BTreeMap::new(), keeper_looks_at: Moment::NEVER, ahead: None, closing: false }
    }
}

impl Ledger {
    /// Enters a lease, unless it stands there for an earlier time or was given back meanwhile.
    pub(crate) fn enter(&self, lease: &Arc<Lease>, due: Moment) {
        // Who begins a turn looks here after it told of the turn, and the keeper takes a lease out before it looks at its
        // turn: what one of them overlooks the other sees.
        if lease.due() <= due {
            return;
        }
        let mut pages = self.pages();
        if lease.is_closed() || lease.due() <= due {
            return;
        }
        pages.due.remove(&(lease.due(), lease.id()));
        lease.set_due(due);
        pages.due.insert((due, lease.id()), Arc::clone(lease));
        let wake = due < pages.keeper_looks_at;
        if wake {
            pages.keeper_looks_at = due;
            pages.ahead = Some(due.since(Moment::now()));
        }
        drop(pages);
        if wake {
            self.news.notify_one();
        }
    }

    /// Takes a lease out for good.
    pub(crate) fn strike(&self, lease: &Lease) {
        let mut pages = self.pages();
        lease.close();
        pages.due.remove(&(lease.due(), lease.id()));
        lease.set_due(Moment::NEVER);
        let wake = pages.closing && pages.due.is_empty();
        drop(pages);
        if wake {
            self.news.notify_one();
        }
    }

    /// Takes out the leases that need attention now. The keeper enters again what goes on.
    pub(crate) fn take_due(&self, now: Moment) -> Vec<Arc<Lease>> {
        let mut pages = self.pages();
        let later = pages.due.split_off(&(now.after(TOGETHER), 0));
        let due = std::mem::replace(&mut pages.due, later);
        due.into_values().inspect(|lease| lease.set_due(Moment::NEVER)).collect()
    }

    /// Returns when a lease is due, it is the time that `other` tells, or the ledger is closing.
    pub(crate) async fn next_due(&self, other: impl Fn() -> Moment) {
        loop {
            let until = {
                let (mut pages, now) = (self.pages(), Moment::now());
                let first = pages.due.first_key_value().map_or(Moment::NEVER, |(&(due, _), _)| due);
                if first.min(other()) <= now {
                    return;
                }
                // What it was woken for may be gone by now, as most leases are. It looks again when the like of it would be
                // due, or each of the next ones would wake it.
                let again = pages.ahead.take().map_or(Moment::NEVER, |ahead| now.after(ahead));
                pages.keeper_looks_at = first.min(again);
                pages.keeper_looks_at.min(other()).since(now)
            };
            // Far less than forever, far more than any lease: what `Duration` of a sleep can hold.
            let nap = until.min(Duration::from_secs(24 * 60 * 60));
            let news = tokio::time::timeout(nap, self.news.notified()).await;
            if news.is_ok() && self.is_closing() {
                return;
            }
        }
    }

    /// The runtime is gone: the keeper may end once there is nothing left to keep.
    pub(crate) fn close(&self) {
        self.pages().closing = true;
        self.news.notify_one();
    }

    /// Tells the keeper to look up.
    pub(crate) fn nudge(&self) {
        self.news.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.pages().closing
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages().due.is_empty()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Nothing panics while it holds this lock.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
