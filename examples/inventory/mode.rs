//! Where the locks are: on a Redis server, or in this process.

use crate::args::Options;
use crate::replica::Failure;
use dlock_runtime::Runtime;
use dlock_testkit::RedisServer;

pub enum Mode {
    /// The server that `REDIS_URL` names.
    Given(String),
    /// A server of our own, which ends with the run.
    Private(RedisServer),
    Embedded,
}

impl Mode {
    /// Takes what is there: `REDIS_URL`, else the `redis-server` binary, else the embedded store.
    pub fn choose(options: &Options) -> Result<Self, Failure> {
        if options.embedded {
            return Ok(Self::Embedded);
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
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Given(url) => Some(url.clone()),
            Self::Private(server) => Some(server.url()),
            Self::Embedded => None,
        }
    }

    /// The first line: which it is, and how to get the other.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Given(_) => "4 processes on the Redis server of REDIS_URL (--embedded: one process, no Redis)",
            Self::Private(_) => {
                "4 processes on a redis-server started for this run (REDIS_URL: on yours; --embedded: one process, no Redis)"
            }
            Self::Embedded => {
                "4 runtimes in one process on the embedded store (with redis-server installed or REDIS_URL set: 4 processes on Redis)"
            }
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
