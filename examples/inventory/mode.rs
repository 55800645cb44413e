//! Where the locks are: on a Redis server, or in this process.

use crate::args::Options;
use crate::deduct::TTL;
use crate::replica::Failure;
use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{Cluster, RedisServer, Sentinels};
use std::process::Command;

pub enum Mode {
    /// The server that `REDIS_URL` names.
    Given(String),
    /// A server of our own, which ends with the run.
    Private(RedisServer),
    /// A master with replicas of our own, and sentinels that watch over it.
    Sentinel(Sentinels),
    /// A cluster of our own.
    Cluster(Cluster),
    Embedded,
}

impl Mode {
    /// Takes what is there: `REDIS_URL`, else the `redis-server` binary, else the embedded store.
    pub fn choose(options: &Options) -> Result<Self, Failure> {
        if options.embedded {
            return Ok(Self::Embedded);
        }
        if options.sentinel || options.cluster {
            return match RedisServer::available() {
                Some(_) if options.cluster => Ok(Self::Cluster(Cluster::start(3, 1))),
                Some(_) => {
                    let group = Sentinels::start();
                    // They began a moment ago, and nobody had any locks before.
                    group.open_guard();
                    Ok(Self::Sentinel(group))
                }
                None => {
                    Err("--sentinel, --cluster and --failover start servers of their own: install redis-server".into())
                }
            };
        }
        if let Ok(url) = std::env::var("REDIS_URL") {
            answers(&url)?;
            return Ok(Self::Given(url));
        }
        if RedisServer::available().is_some() {
            return Ok(Self::Private(RedisServer::start()));
        }
        if options.kill {
            return Err("--kill needs Redis: install redis-server or set REDIS_URL".into());
        }
        Ok(Self::Embedded)
    }

    /// The server that the replicas are to use, if there is one.
    pub fn store(&self) -> Option<Store> {
        Some(match self {
            Self::Given(url) => Store::Server(url.clone()),
            Self::Private(server) => Store::Server(server.url()),
            Self::Sentinel(group) => Store::Sentinel(group.urls()),
            Self::Cluster(cluster) => Store::Cluster(cluster.urls()),
            Self::Embedded => return None,
        })
    }

    /// Kills a master in the way of a power cut, if there is a replica that can take its place.
    pub fn kill_master(&mut self) {
        match self {
            Self::Sentinel(group) => {
                let master = group.master_at();
                group.servers[master].kill();
            }
            Self::Cluster(cluster) => {
                let master = cluster.masters()[0];
                cluster.nodes[master].kill();
            }
            Self::Given(_) | Self::Private(_) | Self::Embedded => {}
        }
    }

    /// The first line: which it is, and how to get the other.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Given(_) => "4 processes on the Redis server of REDIS_URL (--embedded: one process, no Redis)",
            Self::Private(_) => {
                "4 processes on a redis-server started for this run (REDIS_URL: on yours; --embedded: one process, no Redis)"
            }
            Self::Sentinel(_) => {
                "4 processes on a master with 2 replicas and 3 sentinels started for this run (without --sentinel: one server)"
            }
            Self::Cluster(_) => {
                "4 processes on a cluster of 3 masters, each with a replica, started for this run (without --cluster: one server)"
            }
            Self::Embedded => {
                "4 runtimes in one process on the embedded store (with redis-server installed or REDIS_URL set: 4 processes on Redis)"
            }
        }
    }
}

/// Where processes find the locks. It travels in the environment: a URL may hold a password, and arguments are there for everyone to
/// see.
pub enum Store {
    Server(String),
    /// The URLs of the sentinels.
    Sentinel(Vec<String>),
    /// The URLs of the nodes.
    Cluster(Vec<String>),
}

/// What a replica finds in its environment.
const SERVER: &str = "REDIS_URL";
const SENTINELS: &str = "REDIS_SENTINELS";
const CLUSTER: &str = "REDIS_CLUSTER";

impl Store {
    pub fn write(&self, command: &mut Command) {
        for name in [SERVER, SENTINELS, CLUSTER] {
            command.env_remove(name);
        }
        match self {
            Self::Server(url) => command.env(SERVER, url),
            Self::Sentinel(urls) => command.env(SENTINELS, urls.join(" ")),
            Self::Cluster(urls) => command.env(CLUSTER, urls.join(" ")),
        };
    }

    /// What another process wrote.
    pub fn read() -> Result<Self, Failure> {
        let urls = |name| Some(std::env::var(name).ok()?.split_whitespace().map(str::to_owned).collect());
        Ok(match (urls(SENTINELS), urls(CLUSTER)) {
            (Some(urls), _) => Self::Sentinel(urls),
            (_, Some(urls)) => Self::Cluster(urls),
            _ => Self::Server(std::env::var(SERVER)?),
        })
    }

    pub fn builder(self) -> Builder {
        match self {
            Self::Server(url) => Runtime::builder().redis(url),
            // After a failover, and after their start, they grant no locks for a second more than the TTL.
            Self::Sentinel(urls) => {
                Runtime::builder().sentinel(format!("redis://{}", Sentinels::MASTER), urls).ttl(TTL).wait(2 * TTL)
            }
            Self::Cluster(urls) => Runtime::builder().cluster(urls).ttl(TTL).wait(2 * TTL),
        }
    }
}

/// Asks once, so that a server that is not there is one message and not four.
fn answers(url: &str) -> Result<(), Failure> {
    let executor = tokio::runtime::Runtime::new()?;
    executor.block_on(async {
        let runtime = Runtime::builder().redis(url).namespace("inventory").build().await?;
        runtime.is_locked("probe").await?;
        Ok(())
    })
}
