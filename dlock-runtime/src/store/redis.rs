//! Locks in one Redis server.

mod fate;
mod link;
mod news;
mod reply;
mod script;

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use redis::{
    Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, Value, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};

use self::{
    link::{Link, Links},
    script::{
        Arg::{Millis, Number, Text},
        By,
    },
};
use super::{Answer, Claim, Ears, Leaving, Renewal, Renewed, Reply, SEAT_COUNTS, Store, StoreError};
use crate::{
    clock::Moment,
    error::LockError,
    holder::Holder,
    name::{fence_name, queue_name, seen_name},
    ticket::Identity,
};

/// How long a fence record outlives its last use. The time floor of the fence makes any length safe; days leave
/// an operator something to find.
const RECORD_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
        // Nagle's algorithm would hold back every second small request for the delayed acknowledgement.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = redis::Client::open(info).map_err(wrong)?;
        choose_cryptography();
        Ok(Self { links: Arc::new(Links::new(client)) })
    }

    /// Runs a script on the connection of the current tokio runtime. The command is made at once, so that what is boxed
    /// holds little.
    fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        command: impl Fn(By) -> Cmd + Send + 'static,
        leaves: impl FnOnce() + Send + 'static,
        read: fn(Value) -> RedisResult<T>,
    ) -> Reply<T> {
        let by_hash = command(By::Hash);
        self.ask(patience, async move |mut connection: MultiplexedConnection| {
            leaves();
            let answer = match connection.send_packed_command(&by_hash).await.and_then(Value::extract_error) {
                Err(error) if script::is_unknown_script(&error) => {
                    connection.send_packed_command(&command(By::Text)).await.and_then(Value::extract_error)
                }
                answer => answer,
            };
            read(answer?)
        })
    }

    /// Puts a question on the connection of the current tokio runtime.
    ///
    /// No timer is in here: whoever asks brings one, and the answer may be awaited in another runtime than the
    /// one that it was asked in, whose timers panic once that runtime has ended.
    fn ask<T, Q, A>(&self, patience: Duration, question: Q) -> Reply<T>
    where
        T: Send,
        Q: FnOnce(MultiplexedConnection) -> A + Send + 'static,
        A: Future<Output = RedisResult<T>> + Send,
    {
        let links = Arc::clone(&self.links);
        let ends = Moment::now().after(patience);
        Box::pin(async move {
            let link = links.here()?;
            let used = links.connect(&link).await?;
            let mut watch = Watch { link, generation: used.generation, ends: Some(ends) };
            let answer = question(used.connection).await;
            watch.ends = answer.as_ref().is_err_and(fate::spoils_connection).then_some(Moment::START);
            answer.map_err(fate::classify)
        })
    }
}

impl Store for Redis {
    fn check(&self, patience: Duration) -> Reply<()> {
        self.ask(patience, |mut connection| async move {
            match redis::cmd("INFO").arg("memory").query_async::<String>(&mut connection).await {
                Ok(memory) => warn_of_eviction(&memory),
                // A user without access to INFO can still lock.
                Err(error) if error.code() == Some("NOPERM") => {}
                Err(error) => return Err(error),
            }
            Ok(())
        })
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
        self.run(patience, command, move || leaving.sent.store(true, Ordering::Release), reply::answer)
    }

    fn renew(&self, renewals: Vec<Renewal>, patience: Duration) -> Reply<Vec<Result<Renewed, StoreError>>> {
        self.ask(patience, |mut connection| async move {
            let mut answers = renew_all(&mut connection, &renewals).await?;
            // After a restart or `SCRIPT FLUSH` the server does not know the script: nothing was renewed yet.
            if answers.iter().any(|answer| answer.as_ref().is_err_and(script::is_unknown_script)) {
                script::RENEW.load().query_async::<Value>(&mut connection).await?;
                answers = renew_all(&mut connection, &renewals).await?;
            }
            Ok(answers.into_iter().map(|answer| answer.and_then(reply::renewed).map_err(fate::classify)).collect())
        })
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
        self.run(patience, command, || (), |answer| Ok(redis::from_redis_value(answer)?))
    }

    fn inspect(&self, name: &Arc<str>, patience: Duration) -> Reply<Option<Holder>> {
        let name = Arc::clone(name);
        let command = move |by| script::INSPECT.command(by, &Keys::of(&name).all(), &[]);
        self.run(patience, command, || (), reply::holder)
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
            fate::classify(error)
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

/// Takes a connection out of service when it broke, or when a question on it was given up after its patience
/// ended: the next question makes a new one. Scripts may be asked again, so nothing is lost by that. A question
/// that was dropped earlier says nothing about the connection.
struct Watch {
    link: Arc<Link>,
    generation: u64,
    /// When it is over; `None` once there was a proper answer.
    ends: Option<Moment>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.ends.is_some_and(|end| end <= Moment::now()) {
            self.link.abandon(self.generation);
        }
    }
}

/// All renewals in one pipeline, each with an answer of its own.
async fn renew_all(
    connection: &mut MultiplexedConnection,
    renewals: &[Renewal],
) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut pipeline = redis::pipe();
    for Renewal { ticket, ttl, shorten, more } in renewals {
        let token = ticket.token.text();
        let (fences, who) = more.as_ref().map_or((0, ""), |more| (more.fences.into(), more.who.as_str()));
        let shorten = Text(if *shorten { "1" } else { "0" });
        let args = [Text(&token), Millis(*ttl), shorten, Number(fences), Text(who), Millis(RECORD_KEPT)];
        pipeline.add_command(script::RENEW.command(By::Hash, &[&ticket.name, &fence_name(&ticket.name)], &args));
    }
    pipeline.ignore_errors().query_async(connection).await
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
