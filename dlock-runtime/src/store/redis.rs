//! Locks in one Redis server.

mod ask;
mod fate;
mod link;
mod news;
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

use self::{
    ask::{Checking, Run},
    link::Links,
    renew::Renewing,
    script::{
        Arg::{Millis, Number, Text},
        By,
    },
};
use super::{Answer, Claim, Ears, Leaving, Renewal, Renewed, Reply, SEAT_COUNTS, Store, StoreError};
use crate::{
    error::LockError,
    holder::Holder,
    name::{fence_name, queue_name, seen_name},
    ticket::Identity,
};

/// How long a fence record outlives its last use. The time floor of the fence makes any length safe; days leave
/// an operator something to find.
const RECORD_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// After so long without traffic the system asks the other end whether it is still there, and again after as long.
const KEEPALIVE: Duration = Duration::from_secs(15);

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
        let info = url.into_connection_info().map_err(wrong)?;
        // Another crate of the program may have taught the redis crate TLS, but not where to take cryptography from.
        if cfg!(not(feature = "tls")) && matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(wrong((ErrorKind::InvalidClientConfig, "TLS needs the feature `tls` of dlock-runtime").into()));
        }
        // Nagle's algorithm would hold back every second small request for the delayed acknowledgement. Gateways forget
        // connections that are idle, so that they are not: all of them, that of the listener too.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true).set_keepalive(keepalive));
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

    fn check(&self, patience: Duration) -> Reply<()> {
        ask::ask(&self.links, patience, Checking)
    }

    fn acquire(&self, claim: &Arc<Claim>, patience: Duration) -> Reply<Answer> {
        let (claim, leaving) = (Arc::clone(claim), Arc::clone(claim));
        let command = move |by| {
            let again = if claim.sent.load(Ordering::Acquire) { "1" } else { "0" };
            let token = claim.ticket.token.text();
            let waits = if claim.waits { SEAT_COUNTS } else { Duration::ZERO };
            let args = [
                Text(&token),
                Millis(claim.ttl),
                Number(claim.fences.into()),
                Text(&claim.who),
                Millis(RECORD_KEPT),
                Millis(waits),
                Text(again),
            ];
            script::ACQUIRE.command(by, &Keys::of(&claim.ticket.name).all(), &args)
        };
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
        let command = move |by| {
            let token = leaving.ticket.token.text();
            let rest = leaving.fences.and_then(|fences| Some((fences.to_return()?, fences.last())));
            let (used, last) = rest.map(|(used, last)| (used.to_string(), last.to_string())).unwrap_or_default();
            let seat = leaving.seat.as_deref().map(seat).unwrap_or_default();
            let args = [Text(&token), Text(&used), Text(&seat), Millis(RECORD_KEPT), Text(&last)];
            script::RELEASE.command(by, &Keys::of(&leaving.ticket.name).all(), &args)
        };
        // If an earlier copy was carried out, it is that which released it.
        self.run(patience, command, |_| (), |answer, doubled| Ok(redis::from_redis_value::<bool>(answer)? || doubled))
    }

    fn inspect(&self, name: &Arc<str>, patience: Duration) -> Reply<Option<Holder>> {
        let name = Arc::clone(name);
        let command = move |by| script::INSPECT.command(by, &Keys::of(&name).all(), &[]);
        self.run(patience, command, |_| (), |answer, _| reply::holder(answer))
    }

    fn listen(
        &self,
        identity: Identity,
        ears: Arc<dyn Ears>,
        patience: Duration,
    ) -> Pin<Box<dyn Future<Output = StoreError> + Send>> {
        let links = Arc::clone(&self.links);
        Box::pin(async move {
            let Err(error) = news::listen(links.client(), identity, ears, patience).await;
            links.told(error)
        })
    }
}

/// A lock and what lies beside it.
struct Keys<'a> {
    lock: &'a str,
    fence: String,
    queue: String,
    seen: String,
}

impl<'a> Keys<'a> {
    fn of(name: &'a str) -> Self {
        Self { lock: name, fence: fence_name(name), queue: queue_name(name), seen: seen_name(name) }
    }

    fn all(&self) -> [&str; 4] {
        [self.lock, &self.fence, &self.queue, &self.seen]
    }
}

/// How a claim stands in the queue: with all that it takes to hand the lock over to it.
fn seat(Claim { ticket, ttl, fences, who, .. }: &Claim) -> String {
    format!("{} {} {fences} {who}", ticket.token, script::millis(*ttl))
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

/// A lock key that the server may evict is a lock that two can hold.
fn warn_of_eviction(memory: &str) {
    let policy = memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).unwrap_or_default().trim();
    if !policy.is_empty() && policy != "noeviction" {
        tracing::warn!(
            policy,
            "this Redis may evict lock keys when its memory is full; use maxmemory-policy noeviction"
        );
    }
}
