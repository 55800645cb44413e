//! A rehearsal when a runtime is built: whether this server and this user can do what locking needs. The real scripts run once
//! on a key of the namespace that nobody else uses. What is missing is named.

mod guard;
mod missing;
mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use redis::{RedisError, RedisResult};

pub(super) use self::guard::opens_in;
use self::server::Server;
use super::{
    super::{AcquireCommand, ErrorClass, ReleaseCommand, RenewCommand, StoreError, StoreUnusable},
    classify::{self, Fault},
    combiner::Combiner,
    commands,
    connections::Connections,
    exchange::{self, Exchange},
    groups::Reach,
    keys::Keys,
    script::By,
};
use crate::{
    observe,
    protocol::token::{LockId, Token},
};

/// The rehearsal leaves nothing behind for longer, if it is cut short.
const LASTS: Duration = Duration::from_secs(5);

/// The oldest versions that do: of a server that stands alone, and of one in a cluster.
const SINGLE: (u32, u32) = (6, 2);
const CLUSTER: (u32, u32) = (7, 0);

/// How many keys distinguish a node of a cluster, which has some of them, from a server that has all of them.
const SPREAD: usize = 32;

const IS_NODE: &str = "this is a node of a cluster, which has some of the keys only; say `.cluster([..])`, with the URLs of some of \
                       its nodes";

const IS_SENTINEL: &str =
    "this is a sentinel; say `.sentinel(\"mymaster\", [..])`, with the name of the master that it watches over";

/// Returns for how long the server grants nothing yet, if it is guarded.
///
/// # Errors
/// What makes locking impossible, or impossible for the moment.
pub(super) async fn check(
    connections: &Arc<Connections>,
    probe: LockId,
    reply_timeout: Duration,
) -> Result<Duration, StoreError> {
    rehearse(connections, probe, Kind { is_node: false, warns: true }, reply_timeout).await
}

/// The same at one of the masters of a cluster, where `probe` lies.
pub(super) async fn check_node(
    connections: &Arc<Connections>,
    probe: LockId,
    warns: bool,
    reply_timeout: Duration,
) -> Result<Duration, StoreError> {
    rehearse(connections, probe, Kind { is_node: true, warns }, reply_timeout).await
}

/// What is checked.
#[derive(Clone, Copy)]
struct Kind {
    /// Whether it is one of the masters of a cluster, each of which has some of the keys.
    is_node: bool,
    /// Whether there are warnings of what endangers locks.
    warns: bool,
}

async fn rehearse(
    connections: &Arc<Connections>,
    probe: LockId,
    kind: Kind,
    reply_timeout: Duration,
) -> Result<Duration, StoreError> {
    // Sent alone, because some proxies close the connection when they get it.
    let info = exchange::run(connections, None, reply_timeout, Info).await;
    let server = Server::of(info.as_deref().unwrap_or_default());
    if server.is_in_cluster() {
        connections.fence_clock.use_slots();
    }
    connections.form.set_comparison(server.comparison());
    if !kind.is_node {
        // Proxies before several servers have no INFO.
        let is_one = info.is_ok() && !server.is_in_cluster();
        connections.groups.set_reach(if is_one { Reach::Server } else { Reach::Nothing });
    }
    exchange::run(connections, None, reply_timeout, Rehearsal { lock_id: probe.clone(), server: server.clone(), kind })
        .await?
        .map_err(|(reason, error)| unusable(connections, reason, error))?;
    let opens_in = match connections.quarantine {
        Some(_) => guard::opens_in(connections, reply_timeout).await?,
        None => Duration::ZERO,
    };
    if !kind.warns {
        return Ok(opens_in);
    }
    let channel = format!("dlock:{}{}", probe.token.identity, probe.token.tag);
    let silence = match exchange::run(connections, None, reply_timeout, PubSub { channel }).await {
        Ok(missing) if missing.is_empty() => None,
        Ok(missing) => Some(missing.join(", ")),
        // Some proxies close the connection when they get these commands. An outage is reported elsewhere.
        Err(error) => Some(format!("pub/sub ({})", error.cause)),
    };
    if let Some(missing) = silence {
        observe::no_messages(missing, None);
    }
    match info {
        Err(error) => observe::report(move || {
            tracing::warn!(
                cause = %error.cause,
                "this Redis does not answer INFO, so nobody knows whether it may evict lock keys, and fences may go back \
                 after a failover to a server whose clock is behind"
            );
        }),
        Ok(_) => server.warn(),
    }
    Ok(opens_in)
}

/// The error of a server that cannot do what locking needs.
fn unusable(connections: &Connections, reason: String, error: RedisError) -> StoreError {
    // A virtual address may lead to the new master soon.
    let passes = classify::classify(&error) == Fault::NotMaster;
    let class = if passes { ErrorClass::Transient } else { ErrorClass::Permanent };
    StoreError::new(class, StoreUnusable { reason: reason.into(), source: connections.reply_error(error).cause })
}

struct Info;

impl Exchange for Info {
    type Output = String;

    async fn send(&mut self, _: &Connections, connection: &Combiner, _: bool) -> RedisResult<String> {
        redis::cmd("INFO").query_async(&mut connection.connection()).await
    }
}

/// The commands by which the scripts notify a subscriber.
struct PubSub {
    channel: String,
}

impl Exchange for PubSub {
    /// What is missing, in words.
    type Output = Vec<String>;

    async fn send(&mut self, _: &Connections, connection: &Combiner, _: bool) -> RedisResult<Vec<String>> {
        let mut pipeline = redis::pipe();
        let (publish, count) = if self.channel.contains('{') {
            (["SPUBLISH"; 2], ["SHARDNUMSUB", "PUBSUB SHARDNUMSUB"])
        } else {
            (["PUBLISH"; 2], ["NUMSUB", "PUBSUB NUMSUB"])
        };
        pipeline.cmd(publish[0]).arg(&self.channel).arg("probe");
        pipeline.cmd("PUBSUB").arg(count[0]).arg(&self.channel);
        pipeline.cmd("ROLE");
        let replies = connection.batch(&mut pipeline).await?;
        let errors = [publish[1], count[1], "ROLE"].into_iter().zip(replies);
        let errors = errors.filter_map(|(command, reply)| Some((command, reply.err()?)));
        // The channels that the user may not touch are named by the subscriber, whose `SUBSCRIBE` is refused for the same reason.
        let errors = errors.filter(|(_, error)| !error.detail().is_some_and(|said| said.contains("access")));
        Ok(errors.map(|(command, error)| without(command, &error)).collect())
    }
}

/// Says that a command was refused, and why.
fn without(command: &str, error: &RedisError) -> String {
    let said = error.detail().unwrap_or_default();
    match classify::classify(error) {
        Fault::Misconfigured if said.contains("unknown") => {
            format!("this server, or a proxy before it, does not know {command}")
        }
        Fault::Misconfigured => format!("this Redis user may not run {command}"),
        _ => format!("{command} is refused ({error})"),
    }
}

struct Rehearsal {
    lock_id: LockId,
    server: Server,
    kind: Kind,
}

impl Exchange for Rehearsal {
    /// What makes locking impossible, and what the server said.
    type Output = Result<(), (String, RedisError)>;

    async fn send(&mut self, connections: &Connections, connection: &Combiner, _: bool) -> RedisResult<Self::Output> {
        if self.kind.is_node && self.server.is_older_than(CLUSTER) {
            let reason = format!(
                "this is a cluster of Redis {}, and locking in a cluster needs 7.0 or newer",
                self.server.version
            );
            let lacks = "sharded channels are new in Redis 7.0";
            return Ok(Err((reason, (redis::ErrorKind::InvalidClientConfig, lacks).into())));
        }
        let mut errors = self.rehearse(connections, connection).await?;
        if errors.iter().any(|error| connections.fence_clock.wants_slots(error)) {
            errors = self.rehearse(connections, connection).await?;
        }
        let Some(error) = errors.into_iter().max_by_key(|error| weight(classify::classify(error))) else {
            return Ok(Ok(()));
        };
        let reason = match classify::classify(&error) {
            _ if self.server.is_sentinel() => IS_SENTINEL.to_owned(),
            Fault::Misconfigured if self.server.is_older_than(SINGLE) => {
                format!("this is Redis {}, and locking needs 6.2 or newer", self.server.version)
            }
            // It has the key no more.
            Fault::Transient if self.kind.is_node => return Err(error),
            Fault::Misconfigured if error.code() != Some("CROSSSLOT") => {
                missing::name(connections, &self.lock_id.name, &error, &mut connection.connection()).await?
            }
            Fault::Misconfigured => IS_NODE.to_owned(),
            Fault::Transient if matches!(error.code(), Some("MOVED" | "ASK")) => IS_NODE.to_owned(),
            Fault::NotMaster => "this is a replica, which cannot be written to; name its master".to_owned(),
            _ => return Err(error),
        };
        Ok(Err((reason, error)))
    }
}

impl Rehearsal {
    /// Plays the life of a lock, from one hold over a waiter to the next hold. Returns what went wrong. It cleans up in any case.
    async fn rehearse(&self, connections: &Connections, connection: &Combiner) -> RedisResult<Vec<RedisError>> {
        let name = &self.lock_id.name;
        let waiter = LockId { token: Token { number: u64::MAX, ..self.lock_id.token }, ..self.lock_id.clone() };
        let command = |lock_id: &LockId, waits| AcquireCommand {
            lock_id: lock_id.clone(),
            ttl: LASTS,
            fences: 1,
            who: "probe".to_owned(),
            waits,
            is_contended: true,
            sent: AtomicBool::new(waits),
            doubled: AtomicBool::new(false),
            since: AtomicU64::new(0),
        };
        let (first, second) = (command(&self.lock_id, false), Arc::new(command(&waiter, true)));
        let renewal = RenewCommand {
            lock_id: self.lock_id.clone(),
            ttl: LASTS,
            shorten: true,
            more_fences: 1,
            prior_grant: None,
        };
        let command = |lock_id: &LockId, queue_entry| ReleaseCommand {
            lock_id: lock_id.clone(),
            queue_entry,
            is_unwanted: false,
            last_fence: 0,
            taken_by: None,
        };

        let clock = &connections.fence_clock;
        let keys = Keys::of(name, clock);
        let mut pipeline = redis::pipe();
        pipeline.add_command(commands::acquire(&first, By::Text, false, clock, None));
        pipeline.add_command(commands::renew(&renewal, By::Text, clock, None));
        pipeline.add_command(commands::acquire(&second, By::Text, true, clock, None));
        pipeline.add_command(commands::inspect(name, By::Text, clock));
        // `inspect.lua` goes without a count that the user may not have.
        let [.., queue, seen] = keys.all();
        pipeline.cmd("ZCOUNT").arg(seen).arg("-inf").arg("+inf");
        // A hand-over hides its errors. A first waiter that finds the lock free goes the same way and hides nothing.
        pipeline.cmd("DEL").arg(&**name);
        pipeline.add_command(commands::acquire(&second, By::Text, true, clock, None));
        pipeline.add_command(commands::release(&command(&self.lock_id, None), By::Text, clock, None));
        pipeline.add_command(commands::release(&command(&waiter, Some(Arc::clone(&second))), By::Text, clock, None));
        // Only a release that hands the lock over runs it.
        pipeline.cmd("ZPOPMIN").arg(queue);
        // The fence clock needs it only now and then (mint.lua).
        pipeline.cmd("HSET").arg(seen).arg("probe").arg("0");
        pipeline.cmd("DEL").arg(keys.of_lock().as_slice());
        pipeline.add_command(commands::inspect(name, By::Hash, clock));
        if self.server.may_be_a_node() && !self.kind.is_node {
            for place in 0..SPREAD {
                pipeline.cmd("GET").arg(format!("{name}:{place}"));
            }
        }
        let replies = connection.batch(&mut pipeline).await?;
        let mut errors = Vec::new();
        for error in replies.into_iter().filter_map(Result::err) {
            // Calls by text will do.
            if !connections.form.refuses_hashes(&error) {
                errors.push(error);
            }
        }
        Ok(errors)
    }
}

/// How much a fault says: of several, the one that says most is reported.
fn weight(fault: Fault) -> u8 {
    match fault {
        Fault::Misconfigured | Fault::AccessDenied => 3,
        Fault::NotMaster => 2,
        _ => 1,
    }
}
