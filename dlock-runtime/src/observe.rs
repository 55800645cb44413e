//! What an operator can see. Metrics are labelled by template, never by key: keys come from requests and there is no end
//! of them. Events and spans carry the key as well, unless the builder says that keys are personal data. Owner tokens,
//! URLs and passwords appear nowhere.

mod events;
mod meters;

use std::{sync::Arc, time::Duration};

use metrics::{describe_counter, describe_histogram};
use tracing::{Level, level_filters::LevelFilter};

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
}

/// What one runtime tells its operator, and how.
pub(crate) struct Observer {
    /// How much of a lock's name in the store is the namespace; what follows is the key. `None` if keys are not told.
    namespace: Option<usize>,
    /// How long a lock may be held before that is told.
    pub(crate) warn_after: Duration,
}

impl Observer {
    /// For a runtime whose namespace takes `namespace` bytes.
    pub(crate) fn new(namespace: usize, tells_keys: bool, warn_after: Duration) -> Self {
        Self { namespace: tells_keys.then_some(namespace), warn_after }
    }

    /// The key of the lock `name` for an event of `level`, which may be told elsewhere and later. It is taken along only if
    /// keys are told and somebody listens.
    fn key(&self, level: Level, name: &Arc<str>) -> Key {
        let namespace = self.namespace.filter(|_| LevelFilter::current() >= level);
        Key(namespace.map(|namespace| (Arc::clone(name), namespace)))
    }
}

/// The key of a lock, if it may be told.
struct Key(Option<(Arc<str>, usize)>);

impl Key {
    /// The field `key` of an event; without a value there is none.
    fn text(&self) -> Option<&str> {
        let (name, namespace) = self.0.as_ref()?;
        name.get(*namespace..)
    }
}

/// Tells something.
fn tell(event: impl FnOnce() + Send + 'static) {
    event();
}
