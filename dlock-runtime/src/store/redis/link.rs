//! One connection for each tokio runtime that asks.
//!
//! A multiplexed connection is driven by a task, and that task lives in the runtime in which the connection was
//! made. If that runtime ends, or merely is not inside `block_on` at the moment, every request on the connection
//! hangs. So callers in different runtimes (tests, a blocking façade, the keeper's thread) do not share one.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};
use tokio::{
    runtime::{Handle, Id},
    sync::{Notify, oneshot},
};

use super::{
    super::{Fate, StoreError},
    fate,
};

/// The connections to one server.
pub(super) struct Links {
    client: Client,
    config: AsyncConnectionConfig,
    /// Host, port and database, for errors.
    place: Arc<str>,
    /// Whether the server has answered this client properly. Then it was not set up wrongly, but is being changed.
    known: AtomicBool,
    /// Whether the server does not take scripts by their hash.
    pub(super) by_text: AtomicBool,
    by_runtime: Mutex<HashMap<Id, Arc<Link>>>,
    signs: Arc<Notify>,
}

impl Links {
    pub(super) fn new(client: Client, place: Arc<str>) -> Self {
        // Whoever asks brings a timeout of its own, for connecting and answering together.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let (known, by_text) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { client, config, place, known, by_text, by_runtime: Mutex::default(), signs: Arc::default() }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The server answered properly.
    pub(super) fn is_known(&self) {
        if !self.known.load(Ordering::Relaxed) {
            self.known.store(true, Ordering::Relaxed);
        }
    }

    /// What an answer to a request of ours says about it.
    pub(super) fn told(&self, error: RedisError) -> StoreError {
        let fate = fate::classify(&error).fate(self.known.load(Ordering::Relaxed));
        self.error(fate, error)
    }

    /// What kept a connection from being made.
    pub(super) fn not_connected(&self, error: RedisError) -> StoreError {
        let fate = fate::of_connecting(fate::classify(&error), self.known.load(Ordering::Relaxed));
        self.error(fate, error)
    }

    fn error(&self, fate: Fate, error: RedisError) -> StoreError {
        let error = fate::without_arguments(error);
        StoreError::new(fate, At { place: Arc::clone(&self.place), error })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The link of the tokio runtime that this is called in.
    ///
    /// # Errors
    /// Outside of a tokio runtime.
    pub(super) fn here(&self) -> Result<Arc<Link>, StoreError> {
        let here = Handle::try_current().map_err(|error| StoreError::new(Fate::Refused, error))?;
        let mut links = lock(&self.by_runtime);
        if let Some(link) = links.get(&here.id()) {
            return Ok(Arc::clone(link));
        }
        // The links of runtimes that ended would pile up, as ids do not come again.
        links.retain(|_, link| !link.life.is_closed());
        let (life, end) = oneshot::channel::<()>();
        // This task ends with its runtime, or with the link.
        here.spawn(async move { _ = end.await });
        let link = Arc::new(Link {
            life,
            current: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            signs: Arc::clone(&self.signs),
        });
        links.insert(here.id(), Arc::clone(&link));
        Ok(link)
    }

    /// The connection of `link`, made now if there is none.
    pub(super) async fn connect(&self, link: &Link) -> Result<Used, StoreError> {
        if let Some((generation, connection)) = link.current() {
            return Ok(Used { generation, connection, fresh: false });
        }
        // One attempt at a time: a thousand callers must not open a thousand connections.
        let _turn = link.connecting.lock().await;
        if let Some((generation, connection)) = link.current() {
            return Ok(Used { generation, connection, fresh: true });
        }
        let connection = self.fresh().await?;
        let mut current = lock(&link.current);
        let generation = current.generation + 1;
        *current = Current { generation, connection: Some(connection.clone()) };
        Ok(Used { generation, connection, fresh: true })
    }

    /// A connection that is no link's, to wherever the address leads now.
    pub(super) async fn fresh(&self) -> Result<MultiplexedConnection, StoreError> {
        let connection = self.client.get_multiplexed_async_connection_with_config(&self.config).await;
        connection.map_err(|error| self.not_connected(error))
    }

    /// Returns when some connection was taken out of service since the last time, which may be a sign of a failover.
    pub(super) async fn sign(&self) {
        self.signs.notified().await;
    }
}

/// The connection of one tokio runtime.
pub(super) struct Link {
    signs: Arc<Notify>,
    life: oneshot::Sender<()>,
    current: Mutex<Current>,
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Current {
    generation: u64,
    connection: Option<MultiplexedConnection>,
}

/// A connection in use, and which one of its link it is.
pub(super) struct Used {
    pub(super) generation: u64,
    pub(super) connection: MultiplexedConnection,
    /// Whether it was made after it was asked for. Another one may have been idle for so long that it is dead.
    pub(super) fresh: bool,
}

/// An error, and which server gave it. The URL is not in it, as that may hold a password.
#[derive(Debug)]
struct At {
    place: Arc<str>,
    error: RedisError,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.error)
    }
}

impl std::error::Error for At {}

impl Link {
    fn current(&self) -> Option<(u64, MultiplexedConnection)> {
        let current = lock(&self.current);
        Some((current.generation, current.connection.clone()?))
    }

    /// Takes the connection out of service, unless somebody did so and made a new one.
    pub(super) fn abandon(&self, generation: u64) {
        let mut current = lock(&self.current);
        if current.generation == generation && current.connection.take().is_some() {
            drop(current);
            self.signs.notify_one();
        }
    }

    /// Has the next question made on a new connection; those under way stay where they are.
    pub(super) fn renew(&self) {
        // What comes out is dropped outside of the lock.
        let _before = lock(&self.current).connection.take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
