//! Where the locks are: on a Redis server, or in this process.

use crate::args::Options;
use crate::replica::Failure;
use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{RedisServer, Sentinels};
use std::process::Command;

pub enum Mode {
    /// The server that `REDIS_URL` names.
    Given(String),
    /// A server of our own, which ends with the run.
    Private(RedisServer),
    /// A master with replicas of our own, and sentinels that watch over it.
    Sentinel(Sentinels),
    Embedded,
}

impl Mode {
    /// Takes what is there: `REDIS_URL`, else the `redis-server` binary, else the embedded store.
    pub fn choose(options: &Options) -> Result<Self, Failure> {
        if options.embedded {
            return Ok(Self::Embedded);
        }
        if options.sentinel {
            return match RedisServer::available() {
                Some(_) => Ok(Self::Sentinel(Sentinels::start())),
                None => Err("--sentinel and --failover start servers of their own: install redis-server".into()),
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
        let (url, sentinels) = match self {
            Self::Given(url) => (url.clone(), Vec::new()),
            Self::Private(server) => (server.url(), Vec::new()),
            Self::Sentinel(group) => (format!("redis://{}", Sentinels::MASTER), group.urls()),
            Self::Embedded => return None,
        };
        Some(Store { url, sentinels })
    }

    /// Kills the master in the way of a power cut. There is one with sentinels only.
    pub fn kill_master(&mut self) {
        if let Self::Sentinel(group) = self {
            let master = group.master_at();
            group.servers[master].kill();
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
            Self::Embedded => {
                "4 runtimes in one process on the embedded store (with redis-server installed or REDIS_URL set: 4 processes on Redis)"
            }
        }
    }
}

/// Where processes find the locks. It travels in the environment: a URL may hold a password, and arguments are there for everyone to
/// see.
pub struct Store {
    url: String,
    sentinels: Vec<String>,
}

impl Store {
    pub fn write(&self, command: &mut Command) {
        command.env("REDIS_URL", &self.url).env("REDIS_SENTINELS", self.sentinels.join(" "));
    }

    /// What another process wrote.
    pub fn read() -> Result<Self, Failure> {
        let sentinels = std::env::var("REDIS_SENTINELS").unwrap_or_default();
        Ok(Self {
            url: std::env::var("REDIS_URL")?,
            sentinels: sentinels.split_whitespace().map(str::to_owned).collect(),
        })
    }

    pub fn builder(self) -> Builder {
        match self.sentinels[..] {
            [] => Runtime::builder().redis(self.url),
            _ => Runtime::builder().sentinel(self.url, self.sentinels),
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
