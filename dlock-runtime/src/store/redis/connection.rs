//! The connection of one tokio runtime: which one is in service, and which are not any more.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, Semaphore, oneshot};

use super::{
    attempt::Attempt,
    combiner::{Combiner, Retired},
    epoch::{Epoch, EpochKey},
    groups::Groups,
    link::Link,
    route::Place,
};
use crate::{
    system::{Handle, lock},
    types::boot_time::BootTime,
};

/// So many acquires and releases may be under way on a connection: enough for full batches, and few enough that each has its reply
/// within milliseconds.
const UNDER_WAY: usize = 1024;

/// The connection of one tokio runtime. It is made when it is needed, and made anew when it breaks.
pub(super) struct Connection {
    retired: Arc<Notify>,
    groups: Arc<Groups>,
    /// For how long the server is closed after a failover, if it is guarded, and where its epoch is.
    guard: Option<(Duration, Arc<EpochKey>)>,
    life: oneshot::Sender<()>,
    /// Where it lives.
    pub(super) runtime: Handle,
    /// How many acquires and releases may be under way.
    pub(super) bound: Arc<Semaphore>,
    current: Mutex<Current>,
    /// The last attempt to connect.
    attempt: Mutex<Weak<Attempt>>,
    /// When the first exchange began that was given up after the last answer; `BootTime::NEVER` if there was none.
    unanswered: AtomicU64,
}

#[derive(Default)]
struct Current {
    generation: u64,
    connection: Option<Combiner>,
    /// Those that were taken out of service. Somebody may wait for a reply on one of them.
    retired: Vec<Retired>,
}

impl Current {
    /// Takes the connection out of service.
    fn retire(&mut self) -> Option<Combiner> {
        self.retired.retain(|retired| retired.upgrade().is_some());
        self.retired.extend(self.connection.as_ref().map(Combiner::downgrade));
        self.connection.take()
    }
}

/// A connection in use, and its generation.
pub(super) struct InUse {
    pub(super) generation: u64,
    pub(super) connection: Combiner,
    /// Whether it was made after it was asked for. An older one may have been idle for so long that it is dead.
    pub(super) fresh: bool,
}

impl Connection {
    /// For `runtime`, not connected yet. `retired` is notified whenever a connection is taken out of service.
    pub(super) fn new(
        runtime: Handle,
        retired: Arc<Notify>,
        groups: Arc<Groups>,
        guard: Option<(Duration, Arc<EpochKey>)>,
    ) -> Self {
        let (life, end) = oneshot::channel::<()>();
        // This task ends with its runtime, or with the connection.
        runtime.spawn(async move { _ = end.await });
        Self {
            retired,
            groups,
            guard,
            life,
            runtime,
            bound: Arc::new(Semaphore::new(UNDER_WAY)),
            current: Mutex::default(),
            attempt: Mutex::default(),
            unanswered: AtomicU64::new(BootTime::NEVER.to_bits()),
        }
    }

    /// Whether its runtime has ended.
    pub(super) fn is_over(&self) -> bool {
        self.life.is_closed()
    }

    /// The attempt to connect that is under way, or a new one. `None` if one has succeeded meanwhile.
    pub(super) fn attempt(&self, begin: impl FnOnce() -> Arc<Attempt>) -> Option<Arc<Attempt>> {
        let mut last = lock(&self.attempt);
        if let Some(attempt) = last.upgrade().filter(|attempt| !attempt.is_over()) {
            return Some(attempt);
        }
        // It is in service before its attempt is over.
        if lock(&self.current).connection.is_some() {
            return None;
        }
        let attempt = begin();
        *last = Arc::downgrade(&attempt);
        Some(attempt)
    }

    /// What is in service, and its generation.
    pub(super) fn current(&self) -> Option<(u64, Combiner)> {
        let current = lock(&self.current);
        Some((current.generation, current.connection.clone()?))
    }

    /// Puts a connection to `place` into service.
    pub(super) fn put(&self, fresh: Link, place: &Arc<Place>) {
        let epoch = self.guard.as_ref().map(|(quarantine, key)| Epoch::new(*quarantine, Arc::clone(key)));
        let fresh = Combiner::new(fresh, self.runtime.clone(), Arc::clone(place), Arc::clone(&self.groups), epoch);
        let mut current = lock(&self.current);
        // What comes out is dropped outside of the lock.
        let _before = current.retire();
        current.generation += 1;
        current.connection = Some(fresh);
        drop(current);
        self.is_answered();
    }

    /// The connection replies.
    pub(super) fn is_answered(&self) {
        if self.unanswered.load(Ordering::Relaxed) != BootTime::NEVER.to_bits() {
            self.unanswered.store(BootTime::NEVER.to_bits(), Ordering::Relaxed);
        }
    }

    /// An exchange on `used` that began at `began` was given up. The connection is taken out of service if it owes an answer for too
    /// long, and brings no others.
    pub(super) fn is_unanswered(&self, used: &InUse, began: BootTime, reply_timeout: Duration) {
        let first = self.unanswered.fetch_min(began.to_bits(), Ordering::Relaxed);
        // The timers of callers run by another clock.
        let due = BootTime::from_bits(first).min(began).after(reply_timeout - reply_timeout / 32);
        let silent = used.connection.last_reply().after(reply_timeout / 2);
        if due.max(silent) <= BootTime::now() {
            self.retire(used.generation);
        }
    }

    /// Takes the connection of that generation out of service, unless somebody has done so.
    pub(super) fn retire(&self, generation: u64) {
        let mut current = lock(&self.current);
        if current.generation == generation && current.retire().is_some() {
            drop(current);
            self.retired.notify_one();
        }
    }

    /// Cuts the connection, and those that were taken out of service before, if they are to a place that is not right.
    pub(super) fn leave_unless(&self, is_right: &impl Fn(&Place) -> bool) {
        let mut current = lock(&self.current);
        let is_left = current.connection.as_ref().is_some_and(|connection| !is_right(connection.place()));
        // What comes out is dropped outside of the lock.
        let _before = if is_left { current.retire() } else { None };
        let retired = current.retired.iter().filter_map(Retired::upgrade).collect::<Vec<_>>();
        drop(current);
        retired.iter().filter(|connection| !is_right(connection.place())).for_each(Combiner::cut);
        if is_left {
            self.retired.notify_one();
        }
    }

    /// Has the next request made on a new connection; those under way stay where they are.
    pub(super) fn replace(&self) {
        // What comes out is dropped outside of the lock.
        let _before = lock(&self.current).retire();
    }
}
