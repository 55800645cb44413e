//! One connection for each tokio runtime that sends requests.
//!
//! A multiplexed connection is driven by a task, which lives in the runtime in which the connection was made. If that runtime
//! ends, or merely is not inside `block_on` at the moment, every request on the connection hangs. So callers in different
//! runtimes (tests, a blocking façade, the keeper's thread) do not share a connection.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{AsyncConnectionConfig, RedisError, aio::PubSub};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::{
    super::{ErrorClass, StoreError},
    access::{Access, Lifetime},
    attempt::Attempt,
    classify,
    combiner::Combiner,
    dial,
    fence_clock::FenceClock,
    link::Link,
    reauthentication,
    route::{Place, Route},
    script::Form,
};
use crate::{
    system::{Handle, Id},
    types::boot_time::BootTime,
};

/// So many acquires and releases may be under way on a connection: enough for full batches, and few enough that each has its reply
/// within milliseconds.
const UNDER_WAY: usize = 1024;

/// The connections to one server.
pub(super) struct Connections {
    route: Route,
    access: Arc<Access>,
    config: AsyncConnectionConfig,
    /// Whether the server has replied properly before. If it refuses this client later, its set-up is being changed.
    has_replied: AtomicBool,
    /// In which form the server takes scripts.
    pub(super) form: Form,
    by_runtime: Mutex<HashMap<Id, Arc<Connection>>>,
    /// How many subscriptions there were.
    subscriptions: AtomicU64,
    /// What is known of the server's fences.
    pub(super) fence_clock: FenceClock,
    /// Notified when a connection is taken out of service.
    retired: Arc<Notify>,
}

impl Connections {
    pub(super) fn new((route, access): (Route, Access)) -> Self {
        // Callers apply a timeout of their own, to connecting and the reply together.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Self {
            route,
            access: Arc::new(access),
            config,
            has_replied: AtomicBool::new(false),
            form: Form::default(),
            by_runtime: Mutex::default(),
            subscriptions: AtomicU64::new(0),
            fence_clock: FenceClock::default(),
            retired: Arc::default(),
        }
    }

    /// Where the server is, for errors.
    pub(super) fn address(&self) -> Arc<str> {
        self.route.address()
    }

    /// The server replied properly.
    pub(super) fn note_reply(&self) {
        if !self.has_replied.load(Ordering::Relaxed) {
            self.has_replied.store(true, Ordering::Relaxed);
        }
    }

    /// Whether an error says that a script must be sent in another form: by its text, or with another key.
    pub(super) fn wants_another_form(&self, error: &RedisError) -> bool {
        self.form.wants_text(error) || self.fence_clock.wants_slots(error)
    }

    /// What an error reply to a request says about it.
    pub(super) fn reply_error(&self, error: RedisError) -> StoreError {
        let class = classify::classify(&error).error_class(self.has_replied.load(Ordering::Relaxed));
        at(self.address(), class, error)
    }

    /// The error of a connection that could not be made.
    fn connect_error(&self, place: &Place, error: RedisError) -> StoreError {
        let class = classify::connect_error_class(classify::classify(&error), self.has_replied.load(Ordering::Relaxed));
        at(Arc::clone(&place.name), class, error)
    }

    /// A connection for messages, to wherever the server is now.
    pub(super) async fn for_messages(&self) -> Result<(PubSub, Option<Lifetime>), StoreError> {
        let place = self.route.place();
        let (client, lifetime) = self.access.client(&place.at).await?;
        let connection = dial::messages(&client).await.map_err(|error| self.connect_error(&place, error))?;
        Ok((connection, lifetime))
    }

    /// A number that no other subscription of this runtime has.
    pub(super) fn next_subscription(&self) -> u64 {
        self.subscriptions.fetch_add(1, Ordering::Relaxed)
    }

    /// The connection of the tokio runtime that this is called in.
    ///
    /// # Errors
    /// Outside of a tokio runtime.
    pub(super) fn here(&self) -> Result<Arc<Connection>, StoreError> {
        let here = Handle::try_current().map_err(|error| StoreError::new(ErrorClass::Permanent, error))?;
        let mut connections = lock(&self.by_runtime);
        if let Some(connection) = connections.get(&here.id()) {
            return Ok(Arc::clone(connection));
        }
        // The connections of runtimes that ended would pile up, as ids do not come again.
        connections.retain(|_, connection| !connection.life.is_closed());
        let (life, end) = oneshot::channel::<()>();
        // This task ends with its runtime, or with the connection.
        here.spawn(async move { _ = end.await });
        let id = here.id();
        let connection = Arc::new(Connection {
            life,
            runtime: here,
            bound: Arc::new(Semaphore::new(UNDER_WAY)),
            current: Mutex::default(),
            attempt: Mutex::default(),
            unanswered: AtomicU64::new(BootTime::NEVER.to_bits()),
            retired: Arc::clone(&self.retired),
        });
        connections.insert(id, Arc::clone(&connection));
        Ok(connection)
    }

    /// Connects `connection`, unless it is connected. An attempt may take `limit`.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn connect(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        limit: Duration,
    ) -> Result<InUse, StoreError> {
        let mut fresh = false;
        loop {
            if let Some((generation, connection)) = connection.current() {
                return Ok(InUse { generation, connection, fresh });
            }
            fresh = true;
            if let Some(attempt) = self.attempt(connection, limit) {
                attempt.outcome().await?;
            }
        }
    }

    /// The attempt that is under way, or a new one. `None` if one has succeeded meanwhile.
    fn attempt(self: &Arc<Self>, connection: &Arc<Connection>, limit: Duration) -> Option<Arc<Attempt>> {
        let mut last = lock(&connection.attempt);
        if let Some(attempt) = last.upgrade().filter(|attempt| !attempt.is_over()) {
            return Some(attempt);
        }
        // It is in service before its attempt is over.
        if lock(&connection.current).connection.is_some() {
            return None;
        }
        let attempt = Attempt::begin(self, connection, limit);
        *last = Arc::downgrade(&attempt);
        Some(attempt)
    }

    /// A connection that belongs to no runtime, to wherever the server is now.
    pub(super) async fn fresh(&self) -> Result<Link, StoreError> {
        let place = self.route.place();
        let (client, lifetime) = self.access.client(&place.at).await?;
        let link = dial::commands(&client, &self.config, self.access.name.as_deref()).await;
        let link = link.map_err(|error| self.connect_error(&place, error))?;
        Ok(match lifetime {
            Some(lifetime) => reauthentication::keep(&self.access, &place, link, lifetime),
            None => link,
        })
    }

    /// Returns when some connection was taken out of service since the last time, which may be a sign of a failover.
    pub(super) async fn retired(&self) {
        self.retired.notified().await;
    }
}

/// The connection of one tokio runtime. It is made when it is needed, and made anew when it breaks.
pub(super) struct Connection {
    retired: Arc<Notify>,
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
}

/// A connection in use, and its generation.
pub(super) struct InUse {
    pub(super) generation: u64,
    pub(super) connection: Combiner,
    /// Whether it was made after it was asked for. An older one may have been idle for so long that it is dead.
    pub(super) fresh: bool,
}

/// An error, and which server gave it. The URL is not in it, as that may hold a password.
#[derive(Debug)]
struct At {
    address: Arc<str>,
    error: RedisError,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.error)
    }
}

impl std::error::Error for At {}

fn at(address: Arc<str>, class: ErrorClass, error: RedisError) -> StoreError {
    StoreError::new(class, At { address, error: classify::without_arguments(error) })
}

impl Connection {
    fn current(&self) -> Option<(u64, Combiner)> {
        let current = lock(&self.current);
        Some((current.generation, current.connection.clone()?))
    }

    /// Puts a connection into service.
    pub(super) fn put(&self, fresh: Link) {
        let fresh = Combiner::new(fresh, self.runtime.clone());
        let mut current = lock(&self.current);
        let generation = current.generation + 1;
        // What comes out is dropped outside of the lock.
        let _before = std::mem::replace(&mut *current, Current { generation, connection: Some(fresh) });
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
        if current.generation == generation && current.connection.take().is_some() {
            drop(current);
            self.retired.notify_one();
        }
    }

    /// Has the next request made on a new connection; those under way stay where they are.
    pub(super) fn replace(&self) {
        // What comes out is dropped outside of the lock.
        let _before = lock(&self.current).connection.take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
