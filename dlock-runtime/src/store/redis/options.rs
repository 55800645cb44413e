//! What the builder says of the connections to Redis.

use std::{fmt, sync::Arc, time::Duration};

use redis::Client;

use super::provider::Provider;

#[derive(Clone, Default)]
pub(crate) struct RedisOptions {
    pub(crate) url: Option<String>,
    pub(crate) client: Option<Client>,
    pub(crate) sentinel: Option<SentinelOptions>,
    pub(crate) cluster: Option<Vec<Seed>>,
    pub(crate) provider: Option<Arc<Provider>>,
    pub(crate) client_name: Option<String>,
    /// For how long the server grants nothing after a failover, if it is guarded.
    pub(crate) quarantine: Option<Duration>,
}

/// A node of a cluster that is asked for the others.
#[derive(Clone)]
pub(crate) enum Seed {
    Url(String),
    Client(Box<Client>),
}

/// A master, and the sentinels that say where it is.
#[derive(Clone)]
pub(crate) struct SentinelOptions {
    /// Its URL, whose host is its name.
    pub(crate) master: String,
    /// Their URLs.
    pub(crate) sentinels: Vec<String>,
}

impl RedisOptions {
    /// Whether they say where the locks are.
    pub(crate) fn name_a_server(&self) -> bool {
        self.url.is_some() || self.client.is_some() || self.sentinel.is_some() || self.cluster.is_some()
    }

    /// Whether they lead to servers of which one takes the place of another by itself.
    pub(crate) fn may_fail_over(&self) -> bool {
        self.sentinel.is_some() || self.cluster.is_some()
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs and the client may hold a password.
        f.debug_struct("RedisOptions")
            .field("url", &self.url.as_ref().map(|_| ".."))
            .field("client", &self.client.as_ref().map(|_| ".."))
            .field("sentinel", &self.sentinel.as_ref().map(|_| ".."))
            .field("cluster", &self.cluster.as_ref().map(|_| ".."))
            .field("credentials", &self.provider.as_ref().map(|_| ".."))
            .field("client_name", &self.client_name)
            .field("quarantine", &self.quarantine)
            .finish()
    }
}
