//! The events and spans, and the metrics that are counted with them. The macros of tracing look at their fields only if
//! somebody listens, so that what is not heard costs next to nothing.

use std::{
    error::Error,
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use metrics::{counter, histogram};
use tracing::{Level, debug, debug_span, error, info, level_filters::LevelFilter, trace, warn};

use super::{
    BUSY, FAILED, KEEPER_RELEASES, LONG_HOLDS, LOST, Observer, RELEASES_FAILED, RENEWALS, RENEWALS_FAILED,
    STORE_ERRORS, Scope, TURNS,
    meters::Meters,
    outage::{EndedOutage, Epoch},
    report,
};
use crate::{
    observe::caught::caught,
    types::{
        boot_time::BootTime,
        error::{Cause, LockError, LostReason},
        store_error::StoreError,
    },
};

/// The store's messages do not reach a runtime. `cause` says what is missing, and `said` how the server put it.
pub(crate) fn no_messages(cause: impl fmt::Display + Send + 'static, said: Option<String>) {
    report(move || {
        warn!(%cause, said, "messages of the store do not arrive; locks are polled for, and come late and in no order");
    });
}

/// A live connection could not authenticate anew, and the server may close it soon. It is tried again.
pub(crate) fn not_authenticated(store: &Arc<str>, cause: String) {
    let store = Arc::clone(store);
    report(move || warn!(store = &*store, cause, "a live connection could not authenticate anew; it is tried again"));
}

/// The sentinels name another master than before.
pub(crate) fn moved(from: &Arc<str>, to: &Arc<str>) {
    let (from, to) = (Arc::clone(from), Arc::clone(to));
    report(move || info!(from = &*from, store = &*to, "the lock store is at another server now"));
}

/// The store grants nothing for a while, after a failover or its start.
pub(crate) fn closed(store: &Arc<str>, opens_in: Duration) {
    let store = Arc::clone(store);
    report(move || {
        warn!(
            store = &*store,
            ?opens_in,
            "after a failover or its start the lock store grants nothing yet, so that no lock has two holders (failover_guard); \
             locks that are held are kept"
        );
    });
}

/// A hold of a lock, as events name it.
pub(crate) struct Hold<'a> {
    /// The template.
    pub(crate) lock: &'static str,
    /// The lock in the store.
    pub(crate) name: &'a Arc<str>,
    pub(crate) fence: u64,
    /// The function that it is for; nothing if it was taken by hand.
    pub(crate) function: &'static str,
}

impl Observer {
    /// The span of a request that asks and waits.
    pub(crate) fn acquiring(&self, lock: &'static str, name: &Arc<str>) -> Scope {
        Scope::new(|| debug_span!("dlock.acquire", lock, key = self.key(Level::DEBUG, name).text()))
    }

    /// The span of a body that runs under a lock.
    pub(crate) fn holding(&self, hold: &Hold<'_>) -> Scope {
        let lock = hold.lock;
        Scope::new(|| {
            debug_span!("dlock.hold", lock, key = self.key(Level::DEBUG, hold.name).text(), fence = hold.fence)
        })
    }

    pub(crate) fn attempt(&self, lock: &'static str) {
        caught(|| Meters::of(lock).attempt());
    }

    pub(crate) fn acquired(&self, hold: &Hold<'_>, waited: Duration) {
        let lock = hold.lock;
        caught(|| {
            Meters::of(lock).acquired(waited);
            debug!(lock, key = self.key(Level::DEBUG, hold.name).text(), fence = hold.fence, ?waited, "acquired");
        });
    }

    pub(crate) fn not_acquired(&self, lock: &'static str, name: &Arc<str>, error: &LockError) {
        let now = BootTime::now();
        if error.is_unavailable() {
            self.not_answered();
        }
        // What an outage explains, or the caller knows better, needs no line of its own.
        let is_news = error.is_config() || (error.is_unavailable() && !self.outage.is_near(now));
        let left_out = is_news.then(|| self.not_acquired.passes(now)).flatten();
        caught(|| {
            if let LockError::Busy { waited, .. } = error {
                counter!(BUSY, "lock" => lock).increment(1);
                debug!(lock, key = self.key(Level::DEBUG, name).text(), ?waited, "busy");
                return;
            }
            counter!(FAILED, "lock" => lock).increment(1);
            // The text of the error itself may hold the key, and says what the caller reads anyway.
            let cause = || error.source().map(ToString::to_string);
            if let Some(left_out) = left_out {
                warn!(lock, key = self.key(Level::WARN, name).text(), cause = cause(), left_out, "not acquired");
            } else {
                debug!(lock, key = self.key(Level::DEBUG, name).text(), cause = cause(), "not acquired");
            }
        });
    }

    /// A request failed because the store could not be asked.
    pub(crate) fn not_answered(&self) {
        self.outage.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Taken before a command is sent.
    pub(crate) fn epoch(&self) -> Epoch {
        self.outage.epoch()
    }

    /// There was a reply to a command of `sent`, or `error` instead. `had_full_time` says that the reply had the time that replies
    /// usually have.
    pub(crate) fn note_reply(&self, sent: Epoch, error: Option<&StoreError>, had_full_time: bool) {
        let Some(error) = error.filter(|error| error.is_trouble()) else {
            if let Some(over) = self.outage.replied(sent) {
                let store = (self.store)();
                report(move || {
                    let EndedOutage { lasted, requests, renewals, releases } = over;
                    warn!(store = &*store, ?lasted, requests, renewals, releases, "the lock store can be asked again");
                });
            }
            return;
        };
        let begins = self.outage.failed(sent, had_full_time || !error.is_timeout(), BootTime::now());
        let (store, cause) = ((self.store)(), Cause::clone(&error.cause));
        report(move || {
            counter!(STORE_ERRORS).increment(1);
            if begins {
                warn!(store = &*store, %cause, "the lock store cannot be asked");
            } else {
                debug!(store = &*store, %cause, "the lock store did not answer");
            }
        });
    }

    /// A lease was renewed for `hold`. What is counted for many at once goes to [`count_renewals`](Self::count_renewals).
    pub(crate) fn renewed(&self, hold: &Hold<'_>) {
        // The keeper renews them by the thousand: nothing is made for nobody.
        if LevelFilter::current() >= Level::TRACE {
            let (lock, key, fence) = (hold.lock, self.key(Level::TRACE, hold.name), hold.fence);
            report(move || trace!(lock, key = key.text(), fence, "renewed"));
        }
    }

    /// The store had lost the lock by a failover, and has it again.
    pub(crate) fn came_back(&self, hold: &Hold<'_>) {
        let (lock, key, fence) = (hold.lock, self.key(Level::INFO, hold.name), hold.fence);
        report(move || info!(lock, key = key.text(), fence, "a lock that a failover had lost was brought back"));
    }

    /// So many leases were renewed, by template.
    pub(crate) fn count_renewals(&self, counts: Vec<(&'static str, u64)>) {
        if !counts.is_empty() {
            report(move || {
                for (lock, count) in counts {
                    counter!(RENEWALS, "lock" => lock).increment(count);
                }
            });
        }
    }

    /// It is tried again. An outage is reported as a whole; what concerns this lock alone is reported when it happens to it the
    /// first time, which `is_first` knows.
    pub(crate) fn not_renewed(&self, hold: &Hold<'_>, error: &StoreError, is_first: impl FnOnce() -> bool) {
        let (lock, key, fence) = (hold.lock, self.key(Level::WARN, hold.name), hold.fence);
        let cause = Cause::clone(&error.cause);
        if error.is_trouble() {
            self.outage.renewals.fetch_add(1, Ordering::Relaxed);
        }
        let is_news = !error.is_trouble() && is_first();
        let left_out = is_news.then(|| self.not_renewed.passes(BootTime::now())).flatten();
        report(move || {
            counter!(RENEWALS_FAILED, "lock" => lock).increment(1);
            if let Some(left_out) = left_out {
                warn!(lock, key = key.text(), fence, %cause, left_out, "not renewed");
            } else {
                debug!(lock, key = key.text(), fence, %cause, "not renewed");
            }
        });
    }

    pub(crate) fn lost(&self, hold: &Hold<'_>, reason: LostReason, held: Duration) {
        let (lock, key, fence) = (hold.lock, self.key(Level::ERROR, hold.name), hold.fence);
        let reason = reason.as_str();
        report(move || {
            counter!(LOST, "lock" => lock, "reason" => reason).increment(1);
            error!(lock, key = key.text(), fence, reason, ?held, "lost");
        });
    }

    /// The end of a hold, however it came.
    pub(crate) fn held(&self, lock: &'static str, held: Duration) {
        report(move || Meters::of(lock).held(held));
    }

    /// The end of a hold that was not lost.
    #[inline]
    pub(crate) fn released(&self, hold: &Hold<'_>, held: Duration) {
        if LevelFilter::current() < Level::DEBUG {
            return;
        }
        let (lock, key, fence) = (hold.lock, self.key(Level::DEBUG, hold.name), hold.fence);
        report(move || debug!(lock, key = key.text(), fence, ?held, "released"));
    }

    /// A lock is held for longer than locks usually are.
    pub(crate) fn long_hold(&self, hold: &Hold<'_>, held: Duration) {
        let (lock, key, fence) = (hold.lock, self.key(Level::WARN, hold.name), hold.fence);
        let function = Some(hold.function).filter(|function| !function.is_empty());
        report(move || {
            counter!(LONG_HOLDS, "lock" => lock).increment(1);
            warn!(lock, key = key.text(), function, fence, ?held, "held for long");
        });
    }

    /// A lease was given back after so many turns.
    pub(crate) fn turns(&self, lock: &'static str, turns: u32) {
        report(move || histogram!(TURNS, "lock" => lock).record(turns));
    }

    /// The store answers, and will not let this client keep locks.
    pub(crate) fn refuses(&self, error: &StoreError) {
        let (store, cause) = ((self.store)(), Cause::clone(&error.cause));
        report(move || error!(store = &*store, %cause, "the lock store refuses this client"));
    }

    /// The store does not notify this runtime when a lock is handed to it. The error says what is missing.
    pub(crate) fn not_subscribed(&self, error: &StoreError) {
        no_messages(Cause::clone(&error.cause), error.cause.source().map(ToString::to_string));
    }

    /// Messages arrive again, after it was said that they do not.
    pub(crate) fn subscribed_again(&self) {
        report(|| info!("messages of the store arrive again"));
    }

    pub(crate) fn keeper_released(&self, lock: &'static str) {
        report(move || counter!(KEEPER_RELEASES, "lock" => lock).increment(1));
    }

    /// The lock stays until its TTL is over.
    pub(crate) fn not_released(&self, lock: &'static str, name: &Arc<str>, error: &StoreError) {
        let (key, cause) = (self.key(Level::ERROR, name), Cause::clone(&error.cause));
        let mut left_out = None;
        if error.is_trouble() {
            self.outage.releases.fetch_add(1, Ordering::Relaxed);
        } else {
            left_out = self.not_released.passes(BootTime::now());
        }
        report(move || {
            counter!(RELEASES_FAILED, "lock" => lock).increment(1);
            if let Some(left_out) = left_out {
                error!(lock, key = key.text(), %cause, left_out, "not released; its TTL will do it");
            } else {
                debug!(lock, key = key.text(), %cause, "not released; its TTL will do it");
            }
        });
    }

    /// The caller waits no longer for the release, and the keeper goes on with it.
    pub(crate) fn release_delayed(&self, hold: &Hold<'_>, error: &StoreError) {
        let (lock, key, fence) = (hold.lock, self.key(Level::DEBUG, hold.name), hold.fence);
        let cause = Cause::clone(&error.cause);
        report(move || debug!(lock, key = key.text(), fence, %cause, "release delayed"));
    }
}
