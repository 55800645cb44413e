//! Trying out, once and when a runtime is built, whether this server and this user can do what locking needs: the real
//! scripts run on a key of the namespace that nobody else uses. What is missing is named.

mod missing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{RedisError, RedisResult, Value, aio::MultiplexedConnection};

use super::{
    super::{Claim, Fate, Hindrance, Leaving, More, Renewal, StoreError},
    ask::{self, Question},
    commands::{self, Keys},
    fate::{self, Class},
    link::Links,
    script::{self, By},
};
use crate::{
    observe,
    protocol::token::{Ticket, Token},
};

/// Nothing of the probe lasts longer, should it be cut short.
const LASTS: Duration = Duration::from_secs(5);

/// How many keys tell a node of a cluster, which has some of them, from a server that has all.
const SPREAD: usize = 32;

/// # Errors
/// What makes locking impossible, or impossible for the moment.
pub(super) async fn check(links: &Arc<Links>, probe: Ticket, patience: Duration) -> Result<(), StoreError> {
    // Alone, because there are proxies that close the connection when they are asked for it.
    let info = ask::ask(links, patience, Info).await;
    let server = Server::of(info.as_deref().unwrap_or_default());
    ask::ask(links, patience, Probe { ticket: probe.clone(), server: server.clone() }).await?.map_err(
        |(reason, error)| {
            // A virtual address may lead to the new master soon.
            let passes = fate::classify(&error) == Class::NotTheMaster;
            let fate = if passes { Fate::NotYet } else { Fate::Refused };
            StoreError::new(fate, Hindrance { reason: reason.into(), source: links.told(error).cause })
        },
    )?;
    let channel = format!("dlock:{}", probe.token.identity);
    let silence = match ask::ask(links, patience, Messages { channel }).await {
        Ok(missing) if missing.is_empty() => None,
        Ok(missing) => Some(missing.join(", ")),
        // There are proxies that close the connection when they are asked for it. An outage is told of elsewhere.
        Err(error) => Some(format!("pub/sub ({})", error.cause)),
    };
    if let Some(missing) = silence {
        tracing::warn!(
            missing,
            "messages of the store do not arrive without what is missing here; locks are polled for, and come late and in \
             no order"
        );
    }
    match info {
        Err(error) => observe::tell(move || {
            tracing::warn!(
                cause = %error.cause,
                "this Redis does not answer INFO, so nobody can tell whether it may evict lock keys"
            );
        }),
        Ok(_) => server.warn(),
    }
    Ok(())
}

/// What `INFO` says that matters here.
#[derive(Clone, Debug, Default)]
struct Server {
    mode: String,
    version: String,
    role: String,
    policy: String,
}

impl Server {
    fn of(info: &str) -> Self {
        let field = |name: &str| {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().trim().to_owned()
        };
        let either = |name: &str, other: &str| Some(field(name)).filter(|it| !it.is_empty()).unwrap_or(field(other));
        Self {
            mode: either("redis_mode", "server_mode"),
            version: field("redis_version"),
            role: field("role"),
            policy: field("maxmemory_policy"),
        }
    }

    fn is_sentinel(&self) -> bool {
        self.mode == "sentinel"
    }

    /// Whether it may have some of the keys only.
    fn may_be_a_node(&self) -> bool {
        !matches!(&*self.mode, "standalone" | "sentinel")
    }

    fn is_too_old(&self) -> bool {
        let mut parts = self.version.split('.').map_while(|part| part.parse::<u32>().ok());
        parts.next().is_some_and(|major| (major, parts.next().unwrap_or(0)) < (6, 2))
    }

    /// Says what endangers locks.
    fn warn(&self) {
        if !self.policy.is_empty() && self.policy != "noeviction" {
            let policy = self.policy.clone();
            observe::tell(move || {
                tracing::warn!(
                    policy,
                    "this Redis may evict lock keys when its memory is full; use maxmemory-policy noeviction"
                );
            });
        }
        if self.role == "slave" {
            observe::tell(|| {
                tracing::warn!("this Redis is a replica, and loses its locks whenever it copies its master");
            });
        }
    }
}

struct Info;

impl Question for Info {
    type Answer = String;

    async fn put(&mut self, _: &Links, mut connection: MultiplexedConnection, _: bool) -> RedisResult<String> {
        redis::cmd("INFO").query_async(&mut connection).await
    }
}

/// What the scripts and the listener need to tell each other something.
struct Messages {
    channel: String,
}

impl Question for Messages {
    /// What is missing, in words.
    type Answer = Vec<String>;

    async fn put(&mut self, _: &Links, mut connection: MultiplexedConnection, _: bool) -> RedisResult<Vec<String>> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("PUBLISH").arg(&self.channel).arg("probe");
        pipeline.cmd("PUBSUB").arg("NUMSUB").arg(&self.channel);
        pipeline.cmd("ROLE");
        let answers: Vec<RedisResult<Value>> = pipeline.ignore_errors().query_async(&mut connection).await?;
        let errors = ["PUBLISH", "PUBSUB NUMSUB", "ROLE"].into_iter().zip(answers);
        let errors = errors.filter_map(|(command, answer)| Some((command, answer.err()?)));
        // The channels that it may not touch are named by the listener, whose `SUBSCRIBE` is refused for the same reason.
        let errors = errors.filter(|(_, error)| !error.detail().is_some_and(|said| said.contains("access")));
        Ok(errors.map(|(command, error)| without(command, &error)).collect())
    }
}

/// Says that a command was refused, and why.
fn without(command: &str, error: &RedisError) -> String {
    let said = error.detail().unwrap_or_default();
    match fate::classify(error) {
        Class::SetUp if said.contains("unknown") => {
            format!("this server, or a proxy before it, does not know {command}")
        }
        Class::SetUp => format!("this Redis user may not run {command}"),
        _ => format!("{command} is refused ({error})"),
    }
}

struct Probe {
    ticket: Ticket,
    server: Server,
}

impl Question for Probe {
    /// What hinders, and what the server said.
    type Answer = Result<(), (String, RedisError)>;

    async fn put(
        &mut self,
        links: &Links,
        mut connection: MultiplexedConnection,
        _: bool,
    ) -> RedisResult<Self::Answer> {
        let errors = self.rehearse(links, &mut connection).await?;
        let Some(error) = errors.into_iter().max_by_key(|error| weight(fate::classify(error))) else {
            return Ok(Ok(()));
        };
        let reason = match fate::classify(&error) {
            _ if self.server.is_sentinel() => "this is a sentinel; name the server that it watches over".to_owned(),
            Class::SetUp if self.server.is_too_old() => {
                format!("this is Redis {}, and locking needs 6.2 or newer", self.server.version)
            }
            Class::SetUp if error.code() != Some("CROSSSLOT") => {
                missing::name(&self.ticket.name, &error, &mut connection).await?
            }
            Class::SetUp => "this is a node of a cluster, which has some of the keys only".to_owned(),
            Class::Passing if matches!(error.code(), Some("MOVED" | "ASK")) => {
                "this is a node of a cluster, which has some of the keys only".to_owned()
            }
            Class::NotTheMaster => "this is a replica, which cannot be written to; name its master".to_owned(),
            _ => return Err(error),
        };
        Ok(Err((reason, error)))
    }
}

impl Probe {
    /// The life of a lock, from one hold over a waiter to the next: what went wrong in it. It cleans up in any case.
    async fn rehearse(&self, links: &Links, connection: &mut MultiplexedConnection) -> RedisResult<Vec<RedisError>> {
        let name = &self.ticket.name;
        let waiter = Ticket { token: Token { number: u64::MAX, ..self.ticket.token }, ..self.ticket.clone() };
        let claim = |ticket: &Ticket, waits| Claim {
            ticket: ticket.clone(),
            ttl: LASTS,
            fences: 1,
            who: "probe".to_owned(),
            waits,
            sent: AtomicBool::new(waits),
            doubled: AtomicBool::new(false),
        };
        let (first, second) = (claim(&self.ticket, false), Arc::new(claim(&waiter, true)));
        let more = Some(More { fences: 1, who: "probe".to_owned() });
        let renewal = Renewal { ticket: self.ticket.clone(), ttl: LASTS, shorten: true, more };
        let leaving = |ticket: &Ticket, seat| Leaving { ticket: ticket.clone(), fences: None, seat };

        let keys = Keys::of(name);
        let mut pipeline = redis::pipe();
        pipeline.add_command(commands::acquire(&first, By::Text, LASTS));
        pipeline.add_command(commands::renew(&renewal, By::Text, LASTS));
        pipeline.add_command(commands::acquire(&second, By::Text, LASTS));
        pipeline.add_command(commands::inspect(name, By::Text));
        // Who looks at a lock goes without what it may not count.
        let [.., seen] = keys.all();
        pipeline.cmd("ZCOUNT").arg(seen).arg("-inf").arg("+inf");
        // A hand-over hides what it fails by. Who comes first and finds the lock free goes the same way and hides nothing.
        pipeline.cmd("DEL").arg(&**name);
        pipeline.add_command(commands::acquire(&second, By::Text, LASTS));
        pipeline.add_command(commands::release(&leaving(&self.ticket, None), By::Text, LASTS));
        pipeline.add_command(commands::release(&leaving(&waiter, Some(Arc::clone(&second))), By::Text, LASTS));
        pipeline.cmd("DEL").arg(keys.all().as_slice());
        pipeline.add_command(commands::inspect(name, By::Hash));
        if self.server.may_be_a_node() {
            for place in 0..SPREAD {
                pipeline.cmd("GET").arg(format!("{name}:{place}"));
            }
        }
        let answers: Vec<RedisResult<Value>> = pipeline.ignore_errors().query_async(connection).await?;
        let mut errors = Vec::new();
        for error in answers.into_iter().filter_map(Result::err) {
            // The texts will do.
            if script::takes_no_hash(&error) {
                links.by_text.store(true, Ordering::Relaxed);
            } else {
                errors.push(error);
            }
        }
        Ok(errors)
    }
}

/// Of several errors the one that says most.
fn weight(class: Class) -> u8 {
    match class {
        Class::SetUp | Class::NotLetIn => 3,
        Class::NotTheMaster => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_as_redis_and_valkey_give_it() {
        let redis =
            Server::of("# Server\r\nredis_version:6.0.16\r\nredis_mode:cluster\r\n# Replication\r\nrole:slave\r\n");
        assert!(redis.is_too_old() && redis.may_be_a_node() && redis.role == "slave");
        let valkey = Server::of("redis_version:7.2.4\r\nserver_name:valkey\r\nserver_mode:standalone\r\n");
        assert!(!valkey.is_too_old() && !valkey.may_be_a_node() && !valkey.is_sentinel());
        assert!(Server::of("").may_be_a_node() && !Server::of("").is_too_old(), "nothing is known");
    }
}
