//! When the store does not reply: reported by one line when it begins and one when it ends, with what failed in between. Each
//! failure by itself is at most a line for debugging, and a count.
//!
//! An outage is over with the first reply to a command that was sent during it. What was sent before it began, or before it
//! ended, says nothing about now: it is counted and changes nothing.
//!
//! A store that comes and goes must not fill the log. Trouble within [`CALM`] of the last outage's end is reported only if it
//! lasts for [`LASTING`]; what fails in shorter spells is in the counts of the next line. A timeout of a command that had less
//! time than commands usually have is treated alike: it is a sign of trouble only if no reply comes for so long.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{system::lock, types::boot_time::BootTime};

/// After the end of an outage, the next one has to last.
const CALM: Duration = Duration::from_secs(10);

/// How long.
const LASTING: Duration = Duration::from_secs(1);

/// The outages of one runtime's store.
pub(super) struct Outage {
    /// Counts the changes: even while the store replies, odd while it does not.
    epoch: AtomicU64,
    state: Mutex<State>,
    /// What failed since the end of an outage was reported.
    pub(super) requests: AtomicU64,
    pub(super) renewals: AtomicU64,
    pub(super) releases: AtomicU64,
}

struct State {
    /// When the trouble that is now began.
    began: BootTime,
    reported: bool,
    /// Until then, trouble has to last before it is reported.
    calm_at: BootTime,
}

/// Whether the store replied when a command was sent, and after how many changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// What is reported of an outage that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EndedOutage {
    pub(super) lasted: Duration,
    pub(super) requests: u64,
    pub(super) renewals: u64,
    pub(super) releases: u64,
}

impl Default for Outage {
    fn default() -> Self {
        let state = State { began: BootTime::START, reported: false, calm_at: BootTime::START };
        Self {
            epoch: AtomicU64::new(0),
            state: Mutex::new(state),
            requests: AtomicU64::new(0),
            renewals: AtomicU64::new(0),
            releases: AtomicU64::new(0),
        }
    }
}

impl Outage {
    /// Taken before a command is sent. This and one comparison are all that a store which replies costs.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }

    /// Whether the store is in trouble, or was a moment ago, which explains that a command failed.
    pub(super) fn is_near(&self, now: BootTime) -> bool {
        self.epoch().is_trouble() || now < self.state().calm_at
    }

    /// There was a reply to a command of `sent`. Returns what is to be reported.
    pub(super) fn replied(&self, sent: Epoch) -> Option<EndedOutage> {
        if !sent.is_trouble() {
            return None;
        }
        let mut state = self.state();
        if self.epoch() != sent {
            return None;
        }
        self.epoch.store(sent.0 + 1, Ordering::Relaxed);
        if !std::mem::take(&mut state.reported) {
            return None;
        }
        let now = BootTime::now();
        state.calm_at = now.after(CALM);
        let lasted = now.since(state.began);
        drop(state);
        let [requests, renewals, releases] =
            [&self.requests, &self.renewals, &self.releases].map(|count| count.swap(0, Ordering::Relaxed));
        Some(EndedOutage { lasted, requests, renewals, releases })
    }

    /// There was no reply to a command of `sent`, or an error of the store. True if that is to be reported.
    /// `surely` says that it is a sign of trouble by itself.
    pub(super) fn failed(&self, sent: Epoch, surely: bool, now: BootTime) -> bool {
        let mut state = self.state();
        if !self.epoch().is_trouble() {
            if self.epoch() != sent {
                return false;
            }
            self.epoch.store(sent.0 + 1, Ordering::Relaxed);
            state.began = now;
        }
        let reports = (surely && now >= state.calm_at) || now.since(state.began) >= LASTING;
        let first = reports && !state.reported;
        state.reported |= reports;
        first
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Epoch {
    fn is_trouble(self) -> bool {
        self.0 % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How often a store that fails is reported, by commands that fail when they are sent.
    fn fail(outage: &Outage, surely: bool, at: BootTime) -> bool {
        outage.failed(outage.epoch(), surely, at)
    }

    fn answer(outage: &Outage) -> Option<EndedOutage> {
        outage.replied(outage.epoch())
    }

    #[test]
    fn an_outage_is_reported_when_it_begins_and_when_it_ends_and_not_in_between() {
        let (outage, start) = (Outage::default(), BootTime::now());
        assert_eq!(answer(&outage), None, "nothing was wrong");
        assert!(fail(&outage, true, start));
        for millis in 0..100 {
            assert!(!fail(&outage, true, start.after(Duration::from_millis(30 * millis))));
            outage.requests.fetch_add(1, Ordering::Relaxed);
        }
        outage.renewals.fetch_add(7, Ordering::Relaxed);
        let over = answer(&outage).expect("it was reported");
        assert_eq!((over.requests, over.renewals, over.releases), (100, 7, 0));
        assert_eq!(answer(&outage), None, "once");
    }

    #[test]
    fn what_was_sent_before_a_change_changes_nothing() {
        let (outage, start) = (Outage::default(), BootTime::now());
        let before = outage.epoch();
        assert!(outage.failed(before, true, start));
        let during = outage.epoch();
        assert_eq!(outage.replied(before), None, "it may have been on its way");
        assert!(outage.replied(during).is_some());
        assert_eq!(outage.replied(during), None);
        let later = start.after(2 * CALM);
        assert!(!outage.failed(before, true, later) && !outage.failed(during, true, later), "both are of the past");
        assert!(fail(&outage, true, later), "the negative control");
    }

    #[test]
    fn a_store_that_comes_and_goes_is_reported_once_unless_it_stays_away() {
        let (outage, start) = (Outage::default(), BootTime::now());
        assert!(fail(&outage, true, start) && answer(&outage).is_some());
        for millis in 0..50 {
            outage.requests.fetch_add(1, Ordering::Relaxed);
            assert!(!fail(&outage, true, start.after(Duration::from_millis(20 * millis))));
            assert_eq!(answer(&outage), None);
        }
        let again = start.after(2 * SECOND);
        assert!(!fail(&outage, true, again));
        assert!(fail(&outage, true, again.after(LASTING)), "it lasts");
        let over = answer(&outage).expect("it was reported");
        assert_eq!(over.requests, 50, "what nobody reported is in the next line");
        assert!(fail(&outage, true, BootTime::now().after(CALM)), "long after, it is news");
    }

    #[test]
    fn impatience_alone_is_no_outage_unless_nothing_else_is_heard() {
        let (outage, start) = (Outage::default(), BootTime::now());
        assert!(!fail(&outage, false, start));
        assert_eq!(answer(&outage), None);
        assert!(!fail(&outage, false, start.after(SECOND)));
        assert!(fail(&outage, false, start.after(2 * SECOND)));
        assert!(answer(&outage).is_some());
    }
}
