//! What an operator can see. Metrics and events are labelled by template, never by key: keys come from requests
//! and there is no end of them. Owner tokens, URLs and passwords appear nowhere.

mod meters;

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};
use tracing::Span;

use self::meters::Meters;
use crate::{
    error::{LockError, LostReason},
    store::StoreError,
};

const ATTEMPTS: &str = "dlock_attempts_total";
const ACQUIRED: &str = "dlock_acquired_total";
const BUSY: &str = "dlock_busy_total";
const FAILED: &str = "dlock_failed_total";
const WAIT: &str = "dlock_wait_seconds";
const HOLD: &str = "dlock_hold_seconds";
const RENEWALS: &str = "dlock_renewals_total";
const TURNS: &str = "dlock_turns_per_lease";
const LOST: &str = "dlock_lost_total";
const KEEPER_RELEASES: &str = "dlock_keeper_releases_total";

/// Tells the metrics recorder, if one is installed, what the names mean.
pub(crate) fn describe() {
    describe_counter!(ATTEMPTS, "Requests for a lock.");
    describe_counter!(ACQUIRED, "Requests that got the lock.");
    describe_counter!(BUSY, "Requests that did not get the lock because somebody else held it.");
    describe_counter!(FAILED, "Requests that failed for another reason.");
    describe_histogram!(WAIT, metrics::Unit::Seconds, "Time from the request to the lock.");
    describe_histogram!(HOLD, metrics::Unit::Seconds, "Time from the lock to its release or loss.");
    describe_counter!(RENEWALS, "Renewals that succeeded.");
    describe_histogram!(TURNS, "Turns of tasks between taking a lock from the store and giving it back.");
    describe_counter!(LOST, "Locks that were lost while they were held.");
    describe_counter!(KEEPER_RELEASES, "Releases of guards and requests that were dropped.");
}

/// The span of a request that asks and waits.
pub(crate) fn acquiring(label: &'static str) -> Span {
    tracing::debug_span!("dlock.acquire", lock = label)
}

/// The span of a body that runs under a lock.
pub(crate) fn holding(label: &'static str, fence: u64) -> Span {
    tracing::debug_span!("dlock.hold", lock = label, fence)
}

pub(crate) fn attempt(label: &'static str) {
    Meters::of(label).attempt();
}

pub(crate) fn acquired(label: &'static str, waited: Duration, fence: u64) {
    Meters::of(label).acquired(waited);
    tracing::debug!(lock = label, fence, ?waited, "acquired");
}

pub(crate) fn not_acquired(label: &'static str, error: &LockError) {
    if let LockError::Busy { waited, .. } = error {
        counter!(BUSY, "lock" => label).increment(1);
        tracing::debug!(lock = label, ?waited, "busy");
    } else {
        counter!(FAILED, "lock" => label).increment(1);
        // Its text may hold the key, which belongs to the caller; the cause is what an operator needs.
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(lock = label, cause, "not acquired");
    }
}

pub(crate) fn renewed(label: &'static str, fence: u64) {
    counter!(RENEWALS, "lock" => label).increment(1);
    tracing::trace!(lock = label, fence, "renewed");
}

pub(crate) fn not_renewed(label: &'static str, fence: u64, error: &StoreError) {
    tracing::warn!(lock = label, fence, cause = %error.cause, "not renewed");
}

pub(crate) fn lost(label: &'static str, fence: u64, reason: LostReason) {
    counter!(LOST, "lock" => label, "reason" => reason.as_str()).increment(1);
    tracing::error!(lock = label, fence, reason = reason.as_str(), "lost");
}

/// The end of a hold, however it came.
pub(crate) fn held(label: &'static str, fence: u64, held: Duration) {
    Meters::of(label).held(held);
    tracing::debug!(lock = label, fence, ?held, "released");
}

/// A lease was given back after so many turns.
pub(crate) fn turns(label: &'static str, turns: u32) {
    histogram!(TURNS, "lock" => label).record(turns);
}

/// The store will not tell this runtime when a lock is handed to it.
pub(crate) fn deaf(error: &StoreError) {
    tracing::warn!(
        cause = %error.cause,
        "this Redis user may not subscribe to `dlock:*`; locks are polled for, and come late and in no order"
    );
}

pub(crate) fn keeper_released(label: &'static str) {
    counter!(KEEPER_RELEASES, "lock" => label).increment(1);
}

/// The lock stays until its TTL is over.
pub(crate) fn not_released(label: &'static str, error: &StoreError) {
    tracing::error!(lock = label, cause = %error.cause, "not released; its TTL will do it");
}

/// The body came to its end, and the keeper goes on with the release.
pub(crate) fn release_delayed(label: &'static str, error: &LockError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(lock = label, cause, "release delayed");
}
