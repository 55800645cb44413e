//! Locks in one Redis server.

mod attempt;
mod classify;
mod combiner;
mod commands;
mod connections;
mod dial;
mod exchange;
mod fence_clock;
mod keys;
mod link;
mod plain_acquire;
mod probe;
mod renew_batch;
mod reply;
mod script;
mod script_call;
mod slots;
mod subscriber;

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{
    Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, Value,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use tokio::sync::Semaphore;

use self::{
    connections::Connections, plain_acquire::PlainAcquire, renew_batch::RenewBatch, script::By, script_call::ScriptCall,
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

/// After so long without traffic the system checks that the other end is still there, and again after as long.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The cure for most URLs with a password that do not work.
const UNENCODED: &str = "the Redis URL is not usable; the form is `redis://user:password@host:port/db`. Special characters \
                         of the password must be percent-encoded, such as `@` as `%40`, `:` as `%3A`, `/` as `%2F`, `#` as \
                         `%23`, `?` as `%3F` and `%` as `%25`";

/// A store in one Redis server.
pub(crate) struct Redis {
    connections: Arc<Connections>,
}

impl Redis {
    /// # Errors
    /// [`LockError::Config`] if the URL is not one, or needs what was not compiled in. The URL itself, which may
    /// hold a password, is not in the message.
    pub(crate) fn new(url: &str) -> Result<Self, LockError> {
        let wrong = |error: RedisError| LockError::Config {
            reason: "the Redis URL is not usable; the forms are `redis://user:password@host:port/db`, \
                     `redis+unix:///path?db=0`, and `rediss://...` with the feature `tls`"
                .into(),
            source: Some(Arc::new(error)),
        };
        // What follows such a password is no host, so nothing of the error may be shown.
        if has_bare_password(url) {
            return Err(LockError::config(UNENCODED));
        }
        let info = url
            .into_connection_info()
            .map_err(|error| if url.contains('@') { LockError::config(UNENCODED) } else { wrong(error) })?;
        // Another crate of the program may have taught the redis crate TLS, but not where to take cryptography from.
        if cfg!(not(feature = "tls")) && matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(wrong((ErrorKind::InvalidClientConfig, "TLS needs the feature `tls` of dlock-runtime").into()));
        }
        // Nagle's algorithm would hold back every second small request for the delayed acknowledgement. Gateways forget
        // connections that are idle, so keepalive keeps all of them busy, that of the subscription too.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true).set_keepalive(keepalive));
        // A user with least rights may not say its name, and each attempt would be in the server's log of refusals.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(settings);
        let mut address = info.addr().to_string();
        if info.redis_settings().db() != 0 {
            address = format!("{address}, database {}", info.redis_settings().db());
        }
        let client = redis::Client::open(info).map_err(wrong)?;
        choose_cryptography();
        Ok(Self { connections: Arc::new(Connections::new(client, address.into())) })
    }

    /// Runs a script on the connection of the current tokio runtime. The command is made at once, so that the boxed future is
    /// small. `on_send` and `read` learn whether an earlier copy may have been carried out.
    fn run<T: Send + 'static>(
        &self,
        permit: Option<Permit>,
        reply_timeout: Duration,
        command: impl Fn(By) -> Cmd + Send + 'static,
        on_send: impl FnMut(bool) + Send + 'static,
        read: impl Fn(Value, bool) -> RedisResult<T> + Send + 'static,
    ) -> Reply<T> {
        let by_hash = self.connections.form.takes_hashes().then(|| command(By::Hash));
        exchange::run(&self.connections, permit, reply_timeout, ScriptCall { by_hash, command, on_send, read })
    }
}

impl Store for Redis {
    fn address(&self) -> &str {
        self.connections.address()
    }

    fn bound(&self) -> Option<Arc<Semaphore>> {
        // Where there is no connection, the exchange says why.
        self.connections.here().ok().map(|connection| Arc::clone(&connection.bound))
    }

    fn check(&self, probe: LockId, reply_timeout: Duration) -> Reply<()> {
        let connections = Arc::clone(&self.connections);
        Box::pin(async move { probe::check(&connections, probe, reply_timeout).await })
    }

    fn acquire(&self, command: &Arc<AcquireCommand>, permit: Permit, reply_timeout: Duration) -> Reply<AcquireReply> {
        let (request, sent) = (Arc::clone(command), Arc::clone(command));
        let (connections, again) = (Arc::clone(&self.connections), command.sent.load(Ordering::Acquire));
        let make = move |by| commands::acquire(&request, by, again, &connections.fence_clock);
        let on_send = move |repeated| sent.note_sent(repeated);
        let (connections, request) = (Arc::clone(&self.connections), Arc::clone(command));
        let read = move |reply, _| {
            let reply = reply::acquire_reply(reply)?;
            connections.fence_clock.note(match reply {
                AcquireReply::Granted { fence, .. } => request.last_fence(fence),
                AcquireReply::Busy { last_fence, .. } => last_fence,
            });
            Ok(reply)
        };
        if command.may_be_plain() {
            let script = ScriptCall { by_hash: None, command: make, on_send, read };
            let plain = PlainAcquire::new(Arc::clone(command), system::wall_time(), script);
            return exchange::run(&self.connections, Some(permit), reply_timeout, plain);
        }
        self.run(Some(permit), reply_timeout, make, on_send, read)
    }

    fn renew(
        &self,
        renewals: Vec<RenewCommand>,
        reply_timeout: Duration,
    ) -> Reply<Vec<Result<RenewReply, StoreError>>> {
        exchange::run(&self.connections, None, reply_timeout, RenewBatch(renewals))
    }

    fn release(&self, release: ReleaseCommand, permit: Permit, reply_timeout: Duration) -> Reply<bool> {
        let connections = Arc::clone(&self.connections);
        let command = move |by| commands::release(&release, by, &connections.fence_clock);
        // An earlier copy may have released it.
        self.run(
            Some(permit),
            reply_timeout,
            command,
            |_| (),
            |reply, repeated| Ok(redis::from_redis_value::<bool>(reply)? || repeated),
        )
    }

    fn inspect(&self, name: &Arc<str>, reply_timeout: Duration) -> Reply<Option<Holder>> {
        let (name, connections) = (Arc::clone(name), Arc::clone(&self.connections));
        let command = move |by| commands::inspect(&name, by, &connections.fence_clock);
        self.run(None, reply_timeout, command, |_| (), |reply, _| reply::holder(reply))
    }

    fn note_fence(&self, last: u64) {
        self.connections.fence_clock.note(last);
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

/// Whether a password holds a character that ends its part of the URL: `redis://user:pass/word@host/`.
fn has_bare_password(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") && rest.contains('@') && !authority.contains('@')
}

/// Names a provider of cryptography, unless the program did so: rustls panics when it finds none, or two to choose from.
fn choose_cryptography() {
    #[cfg(feature = "tls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker, and its choice is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
    }
}
