//! One connection for each tokio runtime that sends requests.
//!
//! A multiplexed connection is driven by a task, which lives in the runtime in which the connection was made. If that runtime
//! ends, or merely is not inside `block_on` at the moment, every request on the connection hangs. So callers in different
//! runtimes (tests, a blocking façade, the keeper's thread) do not share a connection.
//!
//! The keeper's thread could talk to the server for all of them, with one connection. That would cost each request two thread switches.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{PushInfo, RedisError, aio::PubSub};
use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use super::{
    super::{ErrorClass, StoreError},
    access::{Access, Lifetime},
    attempt::Attempt,
    classify,
    connection::{Connection, InUse},
    dial,
    epoch::EpochKey,
    fence_clock::FenceClock,
    groups::Groups,
    link::Link,
    reauthentication,
    route::{Place, Route},
    script::Form,
};
use crate::{
    observe,
    system::{Handle, Id, RandomState, lock},
    types::boot_time::BootTime,
};

/// The connections to one server.
pub(super) struct Connections {
    route: Route,
    access: Arc<Access>,
    /// Whether the server has replied properly before. If it refuses this client later, its set-up is being changed.
    has_replied: Arc<AtomicBool>,
    /// In which form the server takes scripts.
    pub(super) form: Arc<Form>,
    by_runtime: Mutex<HashMap<Id, Arc<Connection>, RandomState>>,
    /// How many subscriptions there were.
    subscriptions: AtomicU64,
    /// What is known of the server's fences.
    pub(super) fence_clock: Arc<FenceClock>,
    /// Which requests may travel as one.
    pub(super) groups: Arc<Groups>,
    /// For how long the server is closed after a failover, if it is guarded.
    pub(super) quarantine: Option<Duration>,
    /// Where it keeps what tells its lives apart.
    pub(super) epoch_key: Arc<EpochKey>,
    /// Until when it is known to be closed.
    closed_until: AtomicU64,
    /// Notified when a connection is taken out of service.
    retired: Arc<Notify>,
}

impl Connections {
    pub(super) fn new((route, access): (Route, Access), quarantine: Option<Duration>) -> Self {
        let (form, fence_clock) = (Arc::<Form>::default(), Arc::<FenceClock>::default());
        let groups = Arc::new(Groups::new(Arc::clone(&form), Arc::clone(&fence_clock)));
        Self {
            route,
            access: Arc::new(access),
            has_replied: Arc::default(),
            form,
            by_runtime: Mutex::default(),
            subscriptions: AtomicU64::new(0),
            fence_clock,
            groups,
            quarantine,
            epoch_key: Arc::default(),
            closed_until: BootTime::START.to_bits().into(),
            retired: Arc::default(),
        }
    }

    /// The connections to another server of the same cluster. What is known of the one, and how it lets us in, is true of the other.
    pub(super) fn beside(&self, place: Arc<Place>) -> Self {
        Self {
            route: Route::to_node(place),
            access: Arc::clone(&self.access),
            has_replied: Arc::clone(&self.has_replied),
            form: Arc::clone(&self.form),
            by_runtime: Mutex::default(),
            subscriptions: AtomicU64::new(0),
            fence_clock: Arc::clone(&self.fence_clock),
            groups: Arc::new(self.groups.beside()),
            quarantine: self.quarantine,
            epoch_key: Arc::default(),
            closed_until: BootTime::START.to_bits().into(),
            retired: Arc::default(),
        }
    }

    pub(super) fn route(&self) -> &Route {
        &self.route
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

    /// The server grants nothing for another `opens_in`. That is reported once.
    pub(super) fn note_closed(&self, opens_in: Duration) {
        let now = BootTime::now();
        let before = self.closed_until.fetch_max(now.after(opens_in).to_bits(), Ordering::Relaxed);
        if BootTime::from_bits(before) < now {
            observe::closed(&self.address(), opens_in);
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

    /// Where the server is now. To find out may take `limit`.
    async fn find(&self, limit: Duration) -> Result<Arc<Place>, StoreError> {
        self.route.find(limit).await.map_err(|error| match error.class {
            // The way was right before, and is being changed.
            ErrorClass::Permanent if self.has_replied.load(Ordering::Relaxed) => {
                error.with_class(ErrorClass::Transient)
            }
            _ => error,
        })
    }

    /// A connection for messages, to wherever the server is now, and where that is. To find it may take `limit`.
    pub(super) async fn for_messages(
        &self,
        limit: Duration,
    ) -> Result<(PubSub, Option<Lifetime>, Arc<Place>), StoreError> {
        let place = self.find(limit).await?;
        let connect = async {
            let (client, lifetime) = self.access.client(&place.at).await?;
            let connection = dial::messages(&client).await.map_err(|error| self.connect_error(&place, error))?;
            Ok((connection, lifetime))
        };
        let (connection, lifetime) = self.route.unless_moved(&place, connect).await?;
        Ok((connection, lifetime, place))
    }

    /// A connection for commands and messages, to wherever the server is now. To find it may take `limit`.
    pub(super) async fn for_pushes(&self, limit: Duration) -> Result<(Link, UnboundedReceiver<PushInfo>), StoreError> {
        let place = self.find(limit).await?;
        let (client, lifetime) = self.access.client_of_pushes(&place.at).await?;
        let connected = dial::pushes(&client, self.access.name.as_deref()).await;
        let (link, pushes) = connected.map_err(|error| self.connect_error(&place, error))?;
        Ok((self.kept(&place, link, lifetime), pushes))
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
        connections.retain(|_, connection| !connection.is_over());
        let id = here.id();
        let guard = self.quarantine.map(|quarantine| (quarantine, Arc::clone(&self.epoch_key)));
        let connection = Connection::new(here, Arc::clone(&self.retired), Arc::clone(&self.groups), guard);
        let connection = Arc::new(connection);
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
        connection.attempt(|| Attempt::begin(self, connection, limit))
    }

    /// A connection that belongs to no runtime, to wherever the server is now, and where that is. To find it may take `limit`.
    pub(super) async fn fresh(&self, limit: Duration) -> Result<(Link, Arc<Place>), StoreError> {
        let place = self.find(limit).await?;
        let trial = self.route.try_out(&place);
        let link = self.route.unless_moved(&place, self.connect_to(&place)).await?;
        trial.succeeded();
        Ok((link, place))
    }

    async fn connect_to(&self, place: &Arc<Place>) -> Result<Link, StoreError> {
        let (client, lifetime) = self.access.client(&place.at).await?;
        let connected = async {
            let mut link = dial::commands(&client, self.access.name.as_deref()).await?;
            Ok((self.route.confirm(place, &mut link).await?, link))
        };
        let (confirmed, link) = connected.await.map_err(|error| self.connect_error(place, error))?;
        confirmed?;
        Ok(self.kept(place, link, lifetime))
    }

    /// Has the connection authenticate anew in time.
    fn kept(&self, place: &Arc<Place>, link: Link, lifetime: Option<Lifetime>) -> Link {
        match lifetime {
            Some(lifetime) => reauthentication::keep(&self.access, place, link, lifetime),
            None => link,
        }
    }

    /// Cuts the connections to places that are not the right ones any more. Whoever waits for a reply there gets none: what such a
    /// server still grants counts for nothing.
    pub(super) fn leave_all_but(&self, is_right: impl Fn(&Place) -> bool) {
        let connections = lock(&self.by_runtime).values().cloned().collect::<Vec<_>>();
        for connection in connections {
            connection.leave_unless(&is_right);
        }
    }

    /// Another server of the cluster has taken the place of this one. Whoever waits for a reply gets none: what it may still answer
    /// counts for nothing.
    pub(super) fn end(&self) {
        self.route.end();
        self.leave_all_but(|_| false);
    }

    /// Puts a connection to `place` into service.
    pub(super) fn put(&self, connection: &Connection, fresh: Link, place: &Arc<Place>) {
        connection.put(fresh, place);
        // It may have become the wrong place in this very moment.
        if self.route.is_elsewhere(place) {
            connection.leave_unless(&|at: &Place| at.at != place.at);
        }
    }

    /// Returns when some connection was taken out of service since the last time, which may be a sign of a failover.
    pub(super) async fn retired(&self) {
        self.retired.notified().await;
    }
}

/// What a server said, or what became of a connection, if an error is about that.
pub(super) fn redis_error(error: &StoreError) -> Option<&RedisError> {
    error.cause.downcast_ref().map(|At { error, .. }| error)
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
