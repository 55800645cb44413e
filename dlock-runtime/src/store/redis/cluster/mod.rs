//! Locks in a Redis cluster: each lies in the server that has its slot. To each of these masters it is a store in one server
//! (`redis/mod.rs`), with connections, batches and a bound of its own.
//!
//! What there is beside that: which server has which slot (`map.rs` reads it, `table.rs` keeps it, `look.rs` asks for it); how a
//! request follows a lock that is elsewhere (`detour.rs`, `follow.rs`); whether it may be granted there (`moves.rs`); one subscription
//! for each server (`listen.rs`, `ear.rs`); and what `build` checks (`check.rs`). Renewals go to each server in one pipeline (`renew.rs`).
//!
//! The cluster client of the redis crate would not do: it sends `ASKING` and its command apart, keeps no order between requests, and asks
//! replicas or random nodes when in doubt.

mod check;
mod detour;
mod ear;
mod error;
mod follow;
mod listen;
mod look;
mod map;
mod moves;
mod renew;
mod seeds;
mod table;

use std::{
    pin::Pin,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use tokio::sync::{Notify, Semaphore, watch};

use self::{
    detour::Detour,
    follow::Failed,
    look::Looks,
    map::Address,
    table::{Node, Table},
};
use super::{
    Redis, address, connections::Connections, groups::Reach, options::RedisOptions, outcome::UnderWay, route::Place,
};
use crate::{
    protocol::token::{Identity, LockId, Tag},
    store::{
        AcquireCommand, AcquireReply, Permit, ReleaseCommand, RenewCommand, RenewReply, Reply, Store, StoreError,
        Subscriber,
    },
    types::{boot_time::BootTime, error::LockError, holder::Holder},
};

/// A store in a Redis cluster.
pub(super) struct Cluster(Arc<Nodes>);

/// The servers of a cluster, as far as they are known.
pub(super) struct Nodes {
    /// For errors.
    name: Arc<str>,
    /// Who is asked for the others. The first is the pattern of all connections.
    seeds: Vec<Arc<Node>>,
    /// What the connections to all nodes have in common.
    common: Connections,
    table: RwLock<Table>,
    looks: Looks,
    /// Questions to all masters whether they are closed.
    rounds: UnderWay,
    /// Notified when the table may be wrong.
    doubt: Notify,
    /// Counts the changes of who is a master.
    changes: watch::Sender<u64>,
}

impl Cluster {
    /// # Errors
    /// [`LockError::Config`] if no connection can be made with these options.
    pub(super) fn new(options: RedisOptions) -> Result<Self, LockError> {
        let (common, places) = seeds::read(options)?;
        // A script touches keys of one slot.
        common.fence_clock.use_slots();
        common.groups.set_reach(Reach::Slots);
        let names = places.iter().map(|place| &*place.name).collect::<Vec<_>>().join(", ");
        let seeds = places.into_iter().map(|place| Node::new(&common, place)).collect();
        Ok(Self(Arc::new(Nodes {
            name: format!("the cluster of {names}").into(),
            seeds,
            common,
            table: RwLock::default(),
            looks: Looks::default(),
            rounds: UnderWay::default(),
            doubt: Notify::new(),
            changes: watch::Sender::new(0),
        })))
    }

    /// Puts a request about the lock `name` to the server that has it.
    fn ask<T: Send + 'static>(
        &self,
        name: &Arc<str>,
        permit: Option<Permit>,
        reply_timeout: Duration,
        ask: impl Fn(&Redis) -> Reply<T> + Send + Sync + 'static,
    ) -> Reply<T> {
        let (nodes, name) = (Arc::clone(&self.0), Arc::clone(name));
        let asked = nodes.begin(&name, &ask);
        Box::pin(async move {
            let _permit = permit;
            match nodes.first(asked, reply_timeout).await {
                Ok(reply) => Ok(reply),
                // Boxed, as few need it, and all would have room for it.
                Err(failed) => Box::pin(nodes.follow(&name, failed, reply_timeout, ask)).await,
            }
        })
    }
}

impl Nodes {
    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // Nothing panics while it holds this lock.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server at an address that `asked` named.
    fn node_at(&self, Address { host, port }: &Address, asked: &Node) -> Arc<Node> {
        let host = host.clone().unwrap_or_else(|| address::host(&asked.place.at).to_owned());
        let at = address::at(&asked.place.at, host, *port);
        let known = self.table().at(&at).cloned();
        known.unwrap_or_else(|| {
            let name = address::name(&at, 0);
            Node::new(&self.common, Place { at, name })
        })
    }

    /// A server says that `node` has the slot of the lock.
    fn correct(&self, name: &str, node: &Arc<Node>) {
        let is_new = self.table_mut().correct(name, node, BootTime::now());
        if is_new {
            self.has_changed();
        }
        self.look_soon();
    }

    /// The rest of a release that failed where the lock was.
    async fn release_on(
        self: &Arc<Self>,
        lock_id: LockId,
        failed: Option<Failed>,
        reply_timeout: Duration,
        release: impl Fn(&Redis) -> Reply<bool>,
    ) -> Result<bool, StoreError> {
        match self.follow(&lock_id.name, failed, reply_timeout, release).await {
            // The slot is on its way to another server, where those who wait will ask.
            Err(error) if Detour::of(&error) == Detour::TryAgain => {
                let unlock = |server: &Redis| server.unlock(lock_id.clone(), reply_timeout);
                self.follow(&lock_id.name, None, reply_timeout, unlock).await
            }
            reply => reply,
        }
    }

    /// The table may be wrong. Whoever found that does not wait until it is right: those who have patience ask again.
    fn look_soon(&self) {
        self.doubt.notify_one();
    }

    fn has_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Store for Cluster {
    fn address(&self) -> Arc<str> {
        Arc::clone(&self.0.name)
    }

    fn address_of(&self, name: &str) -> Arc<str> {
        self.0.table().owner(name).map_or_else(|| self.address(), |node| Arc::clone(&node.place.name))
    }

    fn bound(&self, name: &str) -> Option<Arc<Semaphore>> {
        self.0.table().owner(name).and_then(|node| node.redis.bound(name))
    }

    fn servers(&self) -> usize {
        self.0.table().masters().len().max(1)
    }

    fn is_guarded(&self) -> bool {
        self.0.common.quarantine.is_some()
    }

    fn check(&self, probe: LockId, reply_timeout: Duration) -> Reply<Duration> {
        let nodes = Arc::clone(&self.0);
        Box::pin(async move { check::check(&nodes, &probe, reply_timeout).await })
    }

    fn acquire(&self, command: &Arc<AcquireCommand>, permit: Permit, reply_timeout: Duration) -> Reply<AcquireReply> {
        let (nodes, asked) = (Arc::clone(&self.0), Arc::clone(command));
        let ask = move |server: &Redis| nodes.acquire_at(server, &asked, reply_timeout);
        self.ask(&command.lock_id.name, Some(permit), reply_timeout, ask)
    }

    fn renew(
        &self,
        renewals: Vec<RenewCommand>,
        reply_timeout: Duration,
    ) -> Reply<Vec<Result<RenewReply, StoreError>>> {
        let nodes = Arc::clone(&self.0);
        Box::pin(async move { Ok(nodes.renew(renewals, reply_timeout).await) })
    }

    fn release(&self, command: ReleaseCommand, permit: Permit, reply_timeout: Duration) -> Reply<bool> {
        let (nodes, lock_id) = (Arc::clone(&self.0), command.lock_id.clone());
        let at = Arc::clone(&nodes);
        let release = move |server: &Redis| at.release_at(server, command.clone(), reply_timeout);
        let asked = nodes.begin(&lock_id.name, &release);
        Box::pin(async move {
            let _permit = permit;
            match nodes.first(asked, reply_timeout).await {
                Ok(reply) => Ok(reply),
                Err(failed) => Box::pin(nodes.release_on(lock_id, failed, reply_timeout, release)).await,
            }
        })
    }

    fn inspect(&self, name: &Arc<str>, reply_timeout: Duration) -> Reply<Option<Holder>> {
        let asked = Arc::clone(name);
        self.ask(name, None, reply_timeout, move |server: &Redis| server.inspect(&asked, reply_timeout))
    }

    fn note_fence(&self, name: &str, last: u64) {
        self.0.common.fence_clock.note(name, last);
    }

    fn tag(&self, name: &str) -> Tag {
        self.0.table().owner(name).map_or(Tag::default(), |node| node.tag())
    }

    fn hears(&self, lock_id: &LockId) -> bool {
        self.0.table().hears(lock_id)
    }

    fn subscribe(
        &self,
        identity: Identity,
        subscriber: Arc<dyn Subscriber>,
        reply_timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        let nodes = Arc::clone(&self.0);
        Box::pin(async move { listen::listen(&nodes, identity, subscriber, reply_timeout).await })
    }
}
