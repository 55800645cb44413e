//! The events and spans, and the metrics that are counted with them. The macros of tracing look at their fields only if
//! somebody listens, so that what is not heard costs next to nothing.

use std::{error::Error, sync::Arc, time::Duration};

use metrics::{counter, histogram};
use tracing::{Level, Span, debug, debug_span, error, trace, warn};

use super::{
    BUSY, FAILED, KEEPER_RELEASES, LONG_HOLDS, LOST, Observer, RELEASES_FAILED, RENEWALS, RENEWALS_FAILED, TURNS,
    meters::Meters, tell,
};
use crate::{
    error::{Cause, LockError, LostReason},
    store::StoreError,
    turn::Turn,
};

impl Observer {
    /// The span of a request that asks and waits.
    pub(crate) fn acquiring(&self, lock: &'static str, name: &Arc<str>) -> Span {
        debug_span!("dlock.acquire", lock, key = self.key(Level::DEBUG, name).text())
    }

    /// The span of a body that runs under a lock.
    pub(crate) fn holding(&self, turn: &Turn) -> Span {
        let lock = turn.key.label();
        debug_span!("dlock.hold", lock, key = self.key(Level::DEBUG, turn.name()).text(), fence = turn.fence)
    }

    pub(crate) fn attempt(&self, lock: &'static str) {
        Meters::of(lock).attempt();
    }

    pub(crate) fn acquired(&self, turn: &Turn, waited: Duration) {
        let lock = turn.key.label();
        Meters::of(lock).acquired(waited);
        debug!(lock, key = self.key(Level::DEBUG, turn.name()).text(), fence = turn.fence, ?waited, "acquired");
    }

    pub(crate) fn not_acquired(&self, lock: &'static str, name: &Arc<str>, error: &LockError) {
        if let LockError::Busy { waited, .. } = error {
            counter!(BUSY, "lock" => lock).increment(1);
            debug!(lock, key = self.key(Level::DEBUG, name).text(), ?waited, "busy");
        } else {
            counter!(FAILED, "lock" => lock).increment(1);
            // The text of the error itself may hold the key, and says what the caller reads anyway.
            let cause = error.source().map(ToString::to_string);
            warn!(lock, key = self.key(Level::WARN, name).text(), cause, "not acquired");
        }
    }

    pub(crate) fn renewed(&self, turn: &Turn) {
        let (lock, key, fence) = (turn.key.label(), self.key(Level::TRACE, turn.name()), turn.fence);
        tell(move || {
            counter!(RENEWALS, "lock" => lock).increment(1);
            trace!(lock, key = key.text(), fence, "renewed");
        });
    }

    pub(crate) fn not_renewed(&self, turn: &Turn, error: &StoreError) {
        let (lock, key, fence) = (turn.key.label(), self.key(Level::WARN, turn.name()), turn.fence);
        let cause = Cause::clone(&error.cause);
        tell(move || {
            counter!(RENEWALS_FAILED, "lock" => lock).increment(1);
            warn!(lock, key = key.text(), fence, %cause, "not renewed");
        });
    }

    pub(crate) fn lost(&self, turn: &Turn, reason: LostReason, held: Duration) {
        let (lock, key, fence) = (turn.key.label(), self.key(Level::ERROR, turn.name()), turn.fence);
        let reason = reason.as_str();
        tell(move || {
            counter!(LOST, "lock" => lock, "reason" => reason).increment(1);
            error!(lock, key = key.text(), fence, reason, ?held, "lost");
        });
    }

    /// The end of a hold, however it came.
    pub(crate) fn held(&self, lock: &'static str, held: Duration) {
        tell(move || Meters::of(lock).held(held));
    }

    /// The end of a hold that was not lost.
    pub(crate) fn released(&self, turn: &Turn, held: Duration) {
        let (lock, key, fence) = (turn.key.label(), self.key(Level::DEBUG, turn.name()), turn.fence);
        tell(move || debug!(lock, key = key.text(), fence, ?held, "released"));
    }

    /// A lock is held for longer than locks usually are.
    pub(crate) fn long_hold(&self, turn: &Turn, held: Duration) {
        let (lock, key, fence) = (turn.key.label(), self.key(Level::WARN, turn.name()), turn.fence);
        let function = Some(turn.purpose).filter(|purpose| !purpose.is_empty());
        tell(move || {
            counter!(LONG_HOLDS, "lock" => lock).increment(1);
            warn!(lock, key = key.text(), function, fence, ?held, "held for long");
        });
    }

    /// A lease was given back after so many turns.
    pub(crate) fn turns(&self, lock: &'static str, turns: u32) {
        tell(move || histogram!(TURNS, "lock" => lock).record(turns));
    }

    /// The store will not tell this runtime when a lock is handed to it.
    pub(crate) fn deaf(&self, error: &StoreError) {
        let cause = Cause::clone(&error.cause);
        tell(move || {
            warn!(
                %cause,
                "this Redis user may not subscribe to `dlock:*`; locks are polled for, and come late and in no order"
            );
        });
    }

    pub(crate) fn keeper_released(&self, lock: &'static str) {
        tell(move || counter!(KEEPER_RELEASES, "lock" => lock).increment(1));
    }

    /// The lock stays until its TTL is over.
    pub(crate) fn not_released(&self, lock: &'static str, name: &Arc<str>, error: &StoreError) {
        let (key, cause) = (self.key(Level::ERROR, name), Cause::clone(&error.cause));
        tell(move || {
            counter!(RELEASES_FAILED, "lock" => lock).increment(1);
            error!(lock, key = key.text(), %cause, "not released; its TTL will do it");
        });
    }

    /// The caller waits no longer for the release, and the keeper goes on with it.
    pub(crate) fn release_delayed(&self, turn: &Turn, error: &StoreError) {
        let (lock, key, fence) = (turn.key.label(), self.key(Level::WARN, turn.name()), turn.fence);
        let cause = Cause::clone(&error.cause);
        tell(move || warn!(lock, key = key.text(), fence, %cause, "release delayed"));
    }
}
