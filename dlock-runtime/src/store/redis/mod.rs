//! Locks in Redis: in one server (this file), or in a cluster of them (`cluster/`).

mod access;
mod address;
mod attempt;
mod classify;
mod cluster;
mod combiner;
mod commands;
mod connection;
mod connections;
mod dial;
mod epoch;
mod exchange;
mod fence_clock;
mod groups;
mod keys;
mod link;
mod options;
mod outcome;
mod probe;
mod provider;
mod reauthentication;
mod renew_batch;
mod reply;
mod route;
mod script;
mod script_call;
mod scripts;
mod shortcut;
mod slots;
mod subscriber;

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use redis::{Cmd, RedisResult, Value};
use tokio::sync::Semaphore;

use self::{
    cluster::Cluster,
    connections::Connections,
    epoch::Told,
    exchange::Exchange,
    groups::Member,
    renew_batch::RenewBatch,
    route::Route,
    script::By,
    script_call::ScriptCall,
    shortcut::{Shortcut, ShortcutCall},
};
pub(crate) use self::{
    options::{RedisOptions, Seed, SentinelOptions},
    provider::Provider,
};
use super::{
    AcquireCommand, AcquireReply, Permit, ReleaseCommand, RenewCommand, RenewReply, Reply, Store, StoreError,
    Subscriber,
};
use crate::{
    protocol::token::{Identity, LockId},
    system,
    types::{error::LockError, holder::Holder},
};

/// The store that the options name.
///
/// # Errors
/// [`LockError::Config`] if no connection can be made with these options. Neither a URL, which may hold a password, nor anything
/// else that is secret is in the message.
pub(crate) fn open(options: RedisOptions) -> Result<Arc<dyn Store>, LockError> {
    Ok(match options.cluster {
        Some(_) => Arc::new(Cluster::new(options)?),
        None => {
            let quarantine = options.quarantine;
            Arc::new(Redis::to(Connections::new(Route::new(options)?, quarantine)))
        }
    })
}

/// The time of day, in microseconds.
fn micros(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_micros()).unwrap_or(0))
}

/// A store in one Redis server.
#[derive(Clone)]
struct Redis {
    connections: Arc<Connections>,
    /// Whether what is asked is about a slot of a cluster that is on its way to this server.
    is_asking: bool,
}

impl Redis {
    fn to(connections: Connections) -> Self {
        Self { connections: Arc::new(connections), is_asking: false }
    }

    /// The same server, for a slot of a cluster that is on its way there.
    fn asking(&self) -> Self {
        Self { is_asking: true, ..self.clone() }
    }

    /// Deletes a lock that the token holds, and nothing else: that works also while the slot of the lock is on its way to another
    /// server. Who waits is not told.
    fn unlock(&self, lock_id: LockId, reply_timeout: Duration) -> Reply<bool> {
        let command = move |by, _: Option<&Told>| commands::unlock(&lock_id, by);
        let read = |reply, repeated| Ok(redis::from_redis_value::<bool>(reply)? || repeated);
        self.run(None, reply_timeout, command, |_| (), read)
    }

    fn exchange<E: Exchange>(&self, permit: Option<Permit>, reply_timeout: Duration, exchange: E) -> Reply<E::Output> {
        exchange::run_if_asked(&self.connections, self.is_asking, permit, reply_timeout, exchange)
    }

    /// Runs a script on the connection of the current tokio runtime. `on_send` and `read` learn whether an earlier copy may have been carried out.
    fn run<T: Send + 'static>(
        &self,
        permit: Option<Permit>,
        reply_timeout: Duration,
        command: impl Fn(By, Option<&Told>) -> Cmd + Send + 'static,
        on_send: impl FnMut(bool) + Send + 'static,
        read: impl Fn(Value, bool) -> RedisResult<T> + Send + 'static,
    ) -> Reply<T> {
        let call = ScriptCall::new(&self.connections, command, on_send, read);
        self.exchange(permit, reply_timeout, call)
    }
}

impl Store for Redis {
    fn address(&self) -> Arc<str> {
        self.connections.address()
    }

    fn bound(&self, _: &str) -> Option<Arc<Semaphore>> {
        // Where there is no connection, the exchange says why.
        self.connections.here().ok().map(|connection| Arc::clone(&connection.bound))
    }

    fn is_guarded(&self) -> bool {
        self.connections.quarantine.is_some()
    }

    fn check(&self, probe: LockId, reply_timeout: Duration) -> Reply<Duration> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move { probe::check(&connections, probe, reply_timeout).await })
    }

    fn acquire(&self, command: &Arc<AcquireCommand>, permit: Permit, reply_timeout: Duration) -> Reply<AcquireReply> {
        let (request, sent) = (Arc::clone(command), Arc::clone(command));
        let (connections, again) = (Arc::clone(&self.connections), command.sent.load(Ordering::Acquire));
        let make =
            move |by, told: Option<&Told>| commands::acquire(&request, by, again, &connections.fence_clock, told);
        let on_send = move |repeated| sent.note_sent(repeated);
        let (connections, request) = (Arc::clone(&self.connections), Arc::clone(command));
        let read = move |reply, _| {
            let reply = reply::acquire_reply(reply)?;
            let last = match reply {
                AcquireReply::Granted { fence, .. } => request.last_fence(fence),
                AcquireReply::Busy { last_fence, .. } => last_fence,
                AcquireReply::Closed { opens_in } => {
                    connections.note_closed(opens_in);
                    0
                }
            };
            connections.fence_clock.note(&request.lock_id.name, last);
            Ok(reply)
        };
        if command.may_be_plain() {
            let since = micros(system::wall_time());
            let plain = Shortcut::Plain(commands::plain_acquire(command, since));
            let compared = self.connections.form.comparison().map(|_| Arc::clone(command));
            let granted = move |reply| {
                if reply == Value::Nil {
                    return Ok(None);
                }
                if let Some(taken) = &compared {
                    taken.since.store(since, Ordering::Relaxed);
                }
                Ok(Some(AcquireReply::Granted { fence: 0, waiting: 0 }))
            };
            let call = ShortcutCall::new(plain, granted, ScriptCall::later(make, on_send, read));
            return self.exchange(Some(permit), reply_timeout, call);
        }
        if command.may_be_one_of_many() {
            let (connections, name) = (Arc::clone(&self.connections), Arc::clone(&command.lock_id.name));
            let read_one = move |reply| {
                let fence = redis::from_redis_value(reply)?;
                connections.fence_clock.note(&name, fence);
                Ok(Some(AcquireReply::Granted { fence, waiting: 0 }))
            };
            let together = Shortcut::Together(Member::Acquire(Arc::clone(command)));
            let call = ShortcutCall::new(together, read_one, ScriptCall::later(make, on_send, read));
            return self.exchange(Some(permit), reply_timeout, call);
        }
        self.run(Some(permit), reply_timeout, make, on_send, read)
    }

    fn renew(
        &self,
        renewals: Vec<RenewCommand>,
        reply_timeout: Duration,
    ) -> Reply<Vec<Result<RenewReply, StoreError>>> {
        self.exchange(None, reply_timeout, RenewBatch(renewals))
    }

    fn release(&self, release: ReleaseCommand, permit: Permit, reply_timeout: Duration) -> Reply<bool> {
        let connections = Arc::clone(&self.connections);
        let shortcut = release.may_be_one_of_many().then(|| {
            let known = connections.form.comparison().zip(release.taken_by.as_deref());
            let comparison = known.and_then(|(how, taken_by)| commands::compare_and_delete(how, taken_by));
            (Shortcut::Together(Member::Release(release.clone())), comparison)
        });
        let command = move |by, told: Option<&Told>| commands::release(&release, by, &connections.fence_clock, told);
        // An earlier copy may have released it.
        let read = |reply, repeated| Ok(redis::from_redis_value::<bool>(reply)? || repeated);
        let Some((shortcut, comparison)) = shortcut else {
            let call = ScriptCall::new(&self.connections, command, |_| (), read).even_if_abandoned();
            return self.exchange(Some(permit), reply_timeout, call);
        };
        let script = ScriptCall::later(command, |_| (), read).even_if_abandoned();
        let call = ShortcutCall::new(shortcut, |reply| Ok(Some(redis::from_redis_value(reply)?)), script);
        self.exchange(Some(permit), reply_timeout, call.or_compare(comparison))
    }

    fn inspect(&self, name: &Arc<str>, reply_timeout: Duration) -> Reply<Option<Holder>> {
        let (name, connections) = (Arc::clone(name), Arc::clone(&self.connections));
        let command = move |by, _: Option<&Told>| commands::inspect(&name, by, &connections.fence_clock);
        self.run(None, reply_timeout, command, |_| (), |reply, _| reply::holder(reply))
    }

    fn note_fence(&self, name: &str, last: u64) {
        self.connections.fence_clock.note(name, last);
    }

    fn moved(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move { connections.route().moved().await })
    }

    fn subscribe(
        &self,
        identity: Identity,
        subscriber: Arc<dyn Subscriber>,
        reply_timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move { subscriber::subscribe(&connections, identity, subscriber, reply_timeout).await })
    }
}
