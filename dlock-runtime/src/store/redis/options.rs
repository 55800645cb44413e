//! What the builder says of the connections to Redis.

use std::{fmt, sync::Arc};

use redis::Client;

use super::provider::Provider;

#[derive(Clone, Default)]
pub(crate) struct RedisOptions {
    pub(crate) url: Option<String>,
    pub(crate) client: Option<Client>,
    pub(crate) provider: Option<Arc<Provider>>,
    pub(crate) client_name: Option<String>,
}

impl RedisOptions {
    /// Whether they say where the locks are.
    pub(crate) fn name_a_server(&self) -> bool {
        self.url.is_some() || self.client.is_some()
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL and the client may hold a password.
        f.debug_struct("RedisOptions")
            .field("url", &self.url.as_ref().map(|_| ".."))
            .field("client", &self.client.as_ref().map(|_| ".."))
            .field("credentials", &self.provider.as_ref().map(|_| ".."))
            .field("client_name", &self.client_name)
            .finish()
    }
}
