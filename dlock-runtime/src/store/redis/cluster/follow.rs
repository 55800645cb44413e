//! Where a request goes: to the server that has the lock's slot, and on from there where that one points.
//!
//! **Invariant.** A request is with one server at a time. That a lock was not found where it was looked for costs a hop, and never a
//! grant: a server says itself which slots it has.

use std::{sync::Arc, time::Duration};

use super::{
    super::{Redis, slots},
    Nodes,
    detour::Detour,
    error::NoOwner,
    table::Node,
};
use crate::{
    store::{ErrorClass, Reply, StoreError},
    types::boot_time::BootTime,
};

/// So often a request is sent on.
pub(super) const HOPS: usize = 5;

/// A request that failed at a server, and why.
pub(super) type Failed = (Arc<Node>, StoreError);

/// A request that is with a server.
pub(super) type Asked<T> = (Arc<Node>, Reply<T>);

impl Nodes {
    /// Puts a request about the lock `name` to the server that has it. `None` if that is not known.
    pub(super) fn begin<T>(&self, name: &str, ask: impl Fn(&Redis) -> Reply<T>) -> Option<Asked<T>> {
        let node = Arc::clone(self.table().owner(name)?);
        let reply = ask(&node.redis);
        Some((node, reply))
    }

    /// Awaits the reply, which is the end of most requests.
    ///
    /// # Errors
    /// What there is to [`follow`](Self::follow).
    pub(super) async fn first<T>(&self, asked: Option<Asked<T>>, reply_timeout: Duration) -> Result<T, Option<Failed>> {
        let Some((node, reply)) = asked else { return Err(None) };
        self.watched(reply, reply_timeout).await.map_err(|error| Some((node, error)))
    }

    /// Puts a request about the lock `name` to the server that has it, after it failed where it was.
    ///
    /// # Errors
    /// Those of that server; or why there is none.
    pub(super) async fn follow<T>(
        self: &Arc<Self>,
        name: &Arc<str>,
        mut failed: Option<Failed>,
        reply_timeout: Duration,
        ask: impl Fn(&Redis) -> Reply<T>,
    ) -> Result<T, StoreError> {
        let mut node = match &failed {
            Some((node, _)) => Arc::clone(node),
            None => self.owner(name).await?,
        };
        let (mut is_asking, mut hops) = (false, 0);
        loop {
            let error = if let Some((_, error)) = failed.take() {
                error
            } else {
                let reply = if is_asking { ask(&node.redis.asking()) } else { ask(&node.redis) };
                match self.watched(reply, reply_timeout).await {
                    Ok(reply) => return Ok(reply),
                    Err(error) => error,
                }
            };
            hops += 1;
            let Some(next) = self.way_on(name, &node, &error, &mut is_asking) else {
                return Err(error);
            };
            if hops > HOPS {
                return Err(error);
            }
            node = next;
        }
    }

    async fn watched<T>(&self, reply: Reply<T>, reply_timeout: Duration) -> Result<T, StoreError> {
        let mut watch = Watch { nodes: self, since: BootTime::now(), reply_timeout, is_over: false };
        let reply = reply.await;
        watch.is_over = reply.is_ok();
        reply
    }

    /// Where a request goes on that failed at `node`. `None` if there is no sense in that.
    pub(super) fn way_on(
        self: &Arc<Self>,
        name: &Arc<str>,
        node: &Arc<Node>,
        error: &StoreError,
        is_asking: &mut bool,
    ) -> Option<Arc<Node>> {
        match Detour::of(error) {
            Detour::Moved(to) => {
                let next = self.node_at(&to, node);
                self.correct(name, &next);
                *is_asking = false;
                Some(next)
            }
            Detour::Ask(to) => {
                *is_asking = true;
                Some(self.node_at(&to, node))
            }
            // It was not carried out there, and another server may have its place.
            Detour::Elsewhere if error.class != ErrorClass::Indeterminate => {
                *is_asking = false;
                let next = self.table().owner(name).cloned();
                let next = next.filter(|next| !Arc::ptr_eq(next, node));
                if next.is_none() {
                    self.look_soon();
                }
                next
            }
            Detour::Elsewhere | Detour::Doubtful => {
                self.look_soon();
                None
            }
            Detour::TryAgain | Detour::None => None,
        }
    }

    /// The server that has the lock, as far as is known.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) async fn owner(self: &Arc<Self>, name: &str) -> Result<Arc<Node>, StoreError> {
        if let Some(node) = self.table().owner(name) {
            return Ok(Arc::clone(node));
        }
        self.look().await?;
        self.table().owner(name).cloned().ok_or_else(|| {
            let (cluster, slot) = (Arc::clone(&self.name), slots::slot(name));
            StoreError::new(ErrorClass::Transient, NoOwner { cluster, slot })
        })
    }
}

/// A request that is given up after its reply was due is a sign that its server is not there any more.
struct Watch<'a> {
    nodes: &'a Nodes,
    since: BootTime,
    reply_timeout: Duration,
    /// It was carried out.
    is_over: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.is_over && self.since.after(self.reply_timeout / 2) <= BootTime::now() {
            self.nodes.look_soon();
        }
    }
}
