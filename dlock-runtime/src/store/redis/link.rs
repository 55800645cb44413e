//! One connection for each tokio runtime that asks.
//!
//! A multiplexed connection is driven by a task, and that task lives in the runtime in which the connection was
//! made. If that runtime ends, or merely is not inside `block_on` at the moment, every request on the connection
//! hangs. So callers in different runtimes (tests, a blocking façade, the keeper's thread) do not share one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use tokio::{
    runtime::{Handle, Id},
    sync::oneshot,
};

use super::{
    super::{Fate, StoreError},
    fate,
};

/// The connections to one server.
pub(super) struct Links {
    client: Client,
    config: AsyncConnectionConfig,
    by_runtime: Mutex<HashMap<Id, Arc<Link>>>,
}

impl Links {
    pub(super) fn new(client: Client) -> Self {
        // Whoever asks brings a timeout of its own, for connecting and answering together.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        Self { client, config, by_runtime: Mutex::default() }
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
        let link = Arc::new(Link { life, current: Mutex::default(), connecting: tokio::sync::Mutex::default() });
        links.insert(here.id(), Arc::clone(&link));
        Ok(link)
    }

    /// The connection of `link`, made now if there is none.
    pub(super) async fn connect(&self, link: &Link) -> Result<Used, StoreError> {
        if let Some(used) = link.current() {
            return Ok(used);
        }
        // One attempt at a time: a thousand callers must not open a thousand connections.
        let _turn = link.connecting.lock().await;
        if let Some(used) = link.current() {
            return Ok(used);
        }
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config)
            .await
            .map_err(fate::of_connecting)?;
        let mut current = lock(&link.current);
        let used = Used { generation: current.generation + 1, connection };
        *current = Current { generation: used.generation, connection: Some(used.connection.clone()) };
        Ok(used)
    }
}

/// The connection of one tokio runtime.
pub(super) struct Link {
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
}

impl Link {
    fn current(&self) -> Option<Used> {
        let current = lock(&self.current);
        let connection = current.connection.clone()?;
        Some(Used { generation: current.generation, connection })
    }

    /// Takes the connection out of service, unless somebody did so and made a new one.
    pub(super) fn abandon(&self, generation: u64) {
        let mut current = lock(&self.current);
        if current.generation == generation {
            current.connection = None;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
