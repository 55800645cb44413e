//! What an operator can see. Metrics are labelled by template, never by key: keys come from requests and there is no end
//! of them. Events and spans carry the key as well, unless the builder says that keys are personal data. Owner tokens,
//! URLs and passwords appear nowhere.
//!
//! Subscribers and recorders are code of the user. A panic of theirs ends here, so that it neither takes a lock along nor
//! leaves one held, and what the keeper reports goes out on a thread of its own (`reporter.rs`). So every event and metric
//! goes through `report`, or through `caught` where it only concerns the caller.

pub(crate) mod caught;
mod events;
mod meters;
mod outage;
mod rate_limit;
mod reporter;
mod scope;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::{describe_counter, describe_histogram};
use tracing::{Level, level_filters::LevelFilter};

pub(crate) use self::{
    events::{Hold, closed, moved, no_messages, not_authenticated},
    outage::Epoch,
    reporter::{Reporter, all_reported, report},
    scope::Scope,
};
use self::{outage::Outage, rate_limit::RateLimit};
use crate::types::nanos::Nanos;

const ATTEMPTS: &str = "dlock_attempts_total";
const ACQUIRED: &str = "dlock_acquired_total";
const BUSY: &str = "dlock_busy_total";
const FAILED: &str = "dlock_failed_total";
const WAIT: &str = "dlock_wait_seconds";
const HOLD: &str = "dlock_hold_seconds";
const LONG_HOLDS: &str = "dlock_long_holds_total";
const RENEWALS: &str = "dlock_renewals_total";
const RENEWALS_FAILED: &str = "dlock_renewals_failed_total";
const TURNS: &str = "dlock_turns_per_lease";
const LOST: &str = "dlock_lost_total";
const KEEPER_RELEASES: &str = "dlock_keeper_releases_total";
const RELEASES_FAILED: &str = "dlock_releases_failed_total";
const STORE_ERRORS: &str = "dlock_store_errors_total";

/// Tells the metrics recorder, if one is installed, what the names mean.
pub(crate) fn describe() {
    describe_counter!(ATTEMPTS, "Requests for a lock.");
    describe_counter!(ACQUIRED, "Requests that got the lock.");
    describe_counter!(BUSY, "Requests that did not get the lock because somebody else held it.");
    describe_counter!(FAILED, "Requests that failed for another reason.");
    describe_histogram!(WAIT, metrics::Unit::Seconds, "Time from the request to the lock.");
    describe_histogram!(HOLD, metrics::Unit::Seconds, "Time from the lock to its release or loss.");
    describe_counter!(LONG_HOLDS, "Locks that were held for longer than `warn_after`, a minute unless set.");
    describe_counter!(RENEWALS, "Renewals that succeeded.");
    describe_counter!(RENEWALS_FAILED, "Renewals that got no answer or an error; they are tried again.");
    describe_histogram!(TURNS, "Turns of tasks between taking a lock from the store and giving it back.");
    describe_counter!(LOST, "Locks that were lost while they were held.");
    describe_counter!(KEEPER_RELEASES, "Releases of guards and requests that were dropped.");
    describe_counter!(RELEASES_FAILED, "Locks that could not be released and stay until their TTL is over.");
    describe_counter!(STORE_ERRORS, "Questions to the store that it did not answer, or by an error of its own.");
}

/// What one runtime reports to its operator, and how.
pub(crate) struct Observer {
    /// How much of a lock's name in the store is the namespace; what follows is the key. `None` if keys are not reported.
    namespace: Option<usize>,
    /// How long a lock may be held before that is reported.
    pub(crate) warn_after: Nanos,
    /// Says where the store is.
    store: Box<dyn Fn() -> Arc<str> + Send + Sync>,
    outage: Outage,
    /// What the store refuses to do for one lock, while it works for others.
    not_acquired: RateLimit,
    not_renewed: RateLimit,
    not_released: RateLimit,
}

impl Observer {
    /// For a runtime whose namespace takes `namespace` bytes. `store` says where the store is at the moment.
    pub(crate) fn new(
        store: impl Fn() -> Arc<str> + Send + Sync + 'static,
        namespace: usize,
        tells_keys: bool,
        warn_after: Duration,
    ) -> Self {
        Self {
            namespace: tells_keys.then_some(namespace),
            warn_after: warn_after.into(),
            store: Box::new(store),
            outage: Outage::default(),
            not_acquired: RateLimit::default(),
            not_renewed: RateLimit::default(),
            not_released: RateLimit::default(),
        }
    }

    /// The key of the lock `name` for an event of `level`, which may be reported elsewhere and later. It is taken along only if
    /// keys are reported and somebody listens.
    fn key(&self, level: Level, name: &Arc<str>) -> Key {
        let namespace = self.namespace.filter(|_| LevelFilter::current() >= level);
        Key(namespace.map(|namespace| (Arc::clone(name), namespace)))
    }
}

/// The key of a lock, if it may be reported.
struct Key(Option<(Arc<str>, usize)>);

impl Key {
    /// The field `key` of an event; without a value there is none.
    fn text(&self) -> Option<&str> {
        let (name, namespace) = self.0.as_ref()?;
        name.get(*namespace..)
    }
}

/// A waker, a subscriber or a recorder panicked. Told once: the panic itself is printed each time, and there may be one for
/// each event.
pub(crate) fn panicked(words: String) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if !TOLD.swap(true, Ordering::Relaxed) {
        // If this panics too, it ends in `caught` and comes back here.
        report(move || {
            tracing::error!(panic = words, "a waker, a tracing subscriber or a metrics recorder panicked; locks go on");
        });
    }
}

/// A part of the keeper panicked, which is a fault of ours. It begins anew.
pub(crate) fn keeper_panicked(part: &'static str, words: String) {
    report(move || tracing::error!(part, panic = words, "the keeper panicked and begins anew; please report this"));
}

/// Nobody took so many events and metrics in time.
fn left_out(count: usize) {
    tracing::error!(count, "events and metrics of locks were left out: a subscriber or a recorder blocks");
}
