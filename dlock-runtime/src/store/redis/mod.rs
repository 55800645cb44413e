//! Locks in one Redis server.

mod ask;
mod commands;
mod fate;
mod link;
mod news;
mod probe;
mod renew;
mod reply;
mod script;

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{
    Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, Value,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use self::{ask::Run, commands::RECORD_KEPT, link::Links, renew::Renewing, script::By};
use super::{Answer, Claim, Ears, Leaving, Renewal, Renewed, Reply, Store, StoreError};
use crate::{
    protocol::token::{Identity, Ticket},
    types::{error::LockError, holder::Holder},
};

/// After so long without traffic the system asks the other end whether it is still there, and again after as long.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The cure for most URLs with a password that do not work.
const UNENCODED: &str = "the Redis URL is not usable; the form is `redis://user:password@host:port/db`. Special characters \
                         of the password must be percent-encoded, such as `@` as `%40`, `:` as `%3A`, `/` as `%2F`, `#` as \
                         `%23`, `?` as `%3F` and `%` as `%25`";

/// A store in one Redis server.
pub(crate) struct Redis {
    links: Arc<Links>,
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
        // What comes behind such a password is no host, so that nothing of the error may be shown.
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
        // connections that are idle, so that they are not: all of them, that of the listener too.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true).set_keepalive(keepalive));
        // Who has least rights may not tell its name, and each attempt would be in the server's log of refusals.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(settings);
        let mut place = info.addr().to_string();
        if info.redis_settings().db() != 0 {
            place = format!("{place}, database {}", info.redis_settings().db());
        }
        let client = redis::Client::open(info).map_err(wrong)?;
        choose_cryptography();
        Ok(Self { links: Arc::new(Links::new(client, place.into())) })
    }

    /// Runs a script on the connection of the current tokio runtime. The command is made at once, so that what is boxed
    /// holds little. `leaves` and `read` are told whether an earlier copy may have been carried out.
    fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        command: impl Fn(By) -> Cmd + Send + 'static,
        leaves: impl FnMut(bool) + Send + 'static,
        read: fn(Value, bool) -> RedisResult<T>,
    ) -> Reply<T> {
        let by_hash = (!self.links.by_text.load(Ordering::Relaxed)).then(|| command(By::Hash));
        ask::ask(&self.links, patience, Run { by_hash, command, leaves, read })
    }
}

impl Store for Redis {
    fn place(&self) -> &str {
        self.links.place()
    }

    fn check(&self, probe: Ticket, patience: Duration) -> Reply<()> {
        let links = Arc::clone(&self.links);
        Box::pin(async move { probe::check(&links, probe, patience).await })
    }

    fn acquire(&self, claim: &Arc<Claim>, patience: Duration) -> Reply<Answer> {
        let (claim, leaving) = (Arc::clone(claim), Arc::clone(claim));
        let command = move |by| commands::acquire(&claim, by, RECORD_KEPT);
        let leaves = move |doubled| {
            leaving.sent.store(true, Ordering::Release);
            if doubled {
                leaving.doubled.store(true, Ordering::Release);
            }
        };
        self.run(patience, command, leaves, |answer, _| reply::answer(answer))
    }

    fn renew(&self, renewals: Vec<Renewal>, patience: Duration) -> Reply<Vec<Result<Renewed, StoreError>>> {
        ask::ask(&self.links, patience, Renewing(renewals))
    }

    fn release(&self, leaving: Leaving, patience: Duration) -> Reply<bool> {
        let command = move |by| commands::release(&leaving, by, RECORD_KEPT);
        // If an earlier copy was carried out, it is that which released it.
        self.run(patience, command, |_| (), |answer, doubled| Ok(redis::from_redis_value::<bool>(answer)? || doubled))
    }

    fn inspect(&self, name: &Arc<str>, patience: Duration) -> Reply<Option<Holder>> {
        let name = Arc::clone(name);
        let command = move |by| commands::inspect(&name, by);
        self.run(patience, command, |_| (), |answer, _| reply::holder(answer))
    }

    fn listen(
        &self,
        identity: Identity,
        ears: Arc<dyn Ears>,
        patience: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        let links = Arc::clone(&self.links);
        Box::pin(async move { news::listen(&links, identity, ears, patience).await })
    }
}

/// Whether a password holds what ends the part of a URL that it stands in: `redis://user:pass/word@host/`.
fn has_bare_password(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") && rest.contains('@') && !authority.contains('@')
}

/// rustls panics when it finds no provider of cryptography, or two to choose from, so one is named unless the program
/// did so.
fn choose_cryptography() {
    #[cfg(feature = "tls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker, and its choice is as good.
        _ = rustls::crypto::ring::default_provider().install_default();
    }
}
