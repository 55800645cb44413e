//! Where the server of the locks is: who is asked, and who is listened to.
//!
//! A route knows addresses, and nothing of scripts or locks. How a server lets us in is said by `access.rs`; the connections to it are
//! kept by `connections.rs`, which asks the route each time it makes one.

mod node;
mod sentinel;

pub(super) use self::node::Gone;

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use redis::{ConnectionAddr, ConnectionInfo, RedisResult};

use self::{
    node::NodeRoute,
    sentinel::{Sentinels, Watch},
};
use super::{access::Access, address, connections::Connections, link::Link, options::RedisOptions};
use crate::{store::StoreError, system::lock, types::error::LockError};

/// The way to the server.
pub(super) enum Route {
    /// It is always at the same address.
    Fixed(Arc<Place>),
    /// It is at its address until another server of its cluster takes its place.
    Node(NodeRoute),
    /// It is where sentinels say that the master is.
    Sentinel(Arc<Sentinels>, Mutex<Option<Watch>>),
}

/// An attempt to connect.
pub(super) struct Trial<'a> {
    route: &'a Route,
    place: &'a Place,
    succeeded: bool,
}

impl Trial<'_> {
    pub(super) fn succeeded(mut self) {
        self.succeeded = true;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let (Route::Sentinel(sentinels, _), false) = (self.route, self.succeeded) {
            sentinels.is_useless(self.place);
        }
    }
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
        let RedisOptions { url, client, sentinel, cluster: _, provider, client_name, quarantine: _ } = options;
        let (info, is_theirs) = match (url, client, sentinel) {
            (Some(url), None, None) => (address::read(&url)?, false),
            (None, Some(client), None) => (client.get_connection_info().clone(), true),
            (None, None, Some(options)) => {
                let access = |info| Access::new(info, false, provider, client_name);
                let (sentinels, access) = Sentinels::new(&options, access)?;
                return Ok((Self::Sentinel(Arc::new(sentinels), Mutex::default()), access));
            }
            (None, None, None) => return Err(LockError::config("no Redis server is named")),
            _ => {
                return Err(LockError::config(
                    "more than one of `redis`, `redis_client` and `sentinel` is given; choose one",
                ));
            }
        };
        let access = Access::new(info, is_theirs, provider, client_name)?;
        Ok((Self::Fixed(Arc::new(Place::of(access.info()))), access))
    }

    /// The way to a master of a cluster.
    pub(super) fn to_node(place: Arc<Place>) -> Self {
        Self::Node(NodeRoute::new(place))
    }

    /// A master of a cluster is none any more.
    pub(super) fn end(&self) {
        if let Self::Node(node) = self {
            node.end();
        }
    }

    /// The server's name for errors.
    pub(super) fn address(&self) -> Arc<str> {
        match self {
            Self::Fixed(place) => Arc::clone(&place.name),
            Self::Node(node) => Arc::clone(&node.place.name),
            Self::Sentinel(sentinels, _) => sentinels.address(),
        }
    }

    /// Where the server is now. To find out may take `limit`.
    ///
    /// # Errors
    /// Why nobody says so.
    pub(super) async fn find(&self, limit: Duration) -> Result<Arc<Place>, StoreError> {
        match self {
            Self::Fixed(place) => Ok(Arc::clone(place)),
            Self::Node(node) if node.has_ended() => Err(node.gone()),
            Self::Node(node) => Ok(Arc::clone(&node.place)),
            Self::Sentinel(sentinels, _) => sentinels.find(limit).await,
        }
    }

    /// Asks the server at `place` over a new connection whether it is the right one.
    ///
    /// # Errors
    /// What became of the connection; or that it leads to another server.
    pub(super) async fn confirm(&self, place: &Arc<Place>, link: &mut Link) -> RedisResult<Result<(), StoreError>> {
        match self {
            Self::Fixed(_) | Self::Node(_) => Ok(Ok(())),
            Self::Sentinel(sentinels, _) => sentinels.confirm(place, link).await,
        }
    }

    /// Tries to connect to `place`. If that fails or is given up, what was known is asked anew.
    pub(super) fn try_out<'a>(&'a self, place: &'a Place) -> Trial<'a> {
        Trial { route: self, place, succeeded: false }
    }

    /// Whether the server is known to be elsewhere than at `place`.
    pub(super) fn is_elsewhere(&self, place: &Place) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Node(node) => node.has_ended(),
            Self::Sentinel(sentinels, _) => sentinels.is_elsewhere(place),
        }
    }

    /// Does what concerns the server at `place`.
    ///
    /// # Errors
    /// If the server is known to be elsewhere before it is done.
    pub(super) async fn unless_moved<T>(
        &self,
        place: &Place,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let left = async {
            match self {
                Self::Fixed(_) => pending().await,
                Self::Node(node) => node.left().await,
                Self::Sentinel(sentinels, _) => sentinels.left(place).await,
            }
        };
        let (mut work, mut left) = (pin!(work), pin!(left));
        poll_fn(|cx| match left.as_mut().poll(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => work.as_mut().poll(cx),
        })
        .await
    }

    /// Returns when the server moves the next time.
    pub(super) async fn moved(&self) {
        match self {
            Self::Fixed(_) | Self::Node(_) => pending().await,
            Self::Sentinel(sentinels, _) => sentinels.moved().await,
        }
    }

    /// Sees to it, from the current tokio runtime, that the connections leave a server that is not the right one any more.
    pub(super) fn watch(&self, connections: &Arc<Connections>) {
        if let Self::Sentinel(sentinels, watch) = self {
            let mut watch = lock(watch);
            if watch.as_ref().is_none_or(Watch::is_over) {
                *watch = Some(Watch::begin(sentinels, connections));
            }
        }
    }
}
