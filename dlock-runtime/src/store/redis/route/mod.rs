//! Where the server of the locks is: who is asked, and who is listened to.
//!
//! A route knows addresses, and nothing of scripts or locks. How a server lets us in is said by `access.rs`; the connections to it are
//! kept by `connections.rs`, which asks the route each time it makes one.

use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo};

use super::{access::Access, address, options::RedisOptions};
use crate::types::error::LockError;

/// The way to the server.
pub(super) enum Route {
    /// It is always at the same address.
    Fixed(Arc<Place>),
}

/// Where a server is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: ConnectionAddr,
    /// Host, port and database, for errors.
    pub(super) name: Arc<str>,
}

impl Place {
    fn of(info: &ConnectionInfo) -> Self {
        Self { at: info.addr().clone(), name: address::name(info.addr(), info.redis_settings().db()) }
    }
}

impl Route {
    /// The way that the options say, and what it takes to be let in at its end.
    ///
    /// # Errors
    /// [`LockError::Config`] if the options do not go together, or lead to no server.
    pub(super) fn new(options: RedisOptions) -> Result<(Self, Access), LockError> {
        let RedisOptions { url, client, provider, client_name } = options;
        let (info, is_theirs) = match (url, client) {
            (Some(_), Some(_)) => {
                return Err(LockError::config("both `redis` and `redis_client` are given; choose one"));
            }
            (Some(url), None) => (address::read(&url)?, false),
            (None, Some(client)) => (client.get_connection_info().clone(), true),
            (None, None) => return Err(LockError::config("no Redis server is named")),
        };
        let access = Access::new(info, is_theirs, provider, client_name)?;
        Ok((Self::Fixed(Arc::new(Place::of(access.info()))), access))
    }

    /// The server's name for errors.
    pub(super) fn address(&self) -> Arc<str> {
        match self {
            Self::Fixed(place) => Arc::clone(&place.name),
        }
    }

    /// Where the server is now.
    pub(super) fn place(&self) -> Arc<Place> {
        match self {
            Self::Fixed(place) => Arc::clone(place),
        }
    }
}
