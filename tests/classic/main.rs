//! The classic recipe (three Lua scripts and a context manager around them), part by part, under its Rust names: each
//! test is named for the part it keeps. What Redis holds is read by a raw client, as `redis-cli GET` and `TTL` would.

mod acquiring;
mod asking;
mod holding;

use std::time::Duration;

use dlock_runtime::Runtime;
use dlock_testkit::{Raw, RedisServer, with_turns};

const SOON: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

/// A runtime on the shared server, as one process would have it. Every test takes a key of its own.
async fn process() -> Runtime {
    let url = RedisServer::shared().url();
    Runtime::builder()
        .turns(with_turns())
        .redis(url)
        .namespace("classic")
        .ttl(LONG)
        .wait(SOON)
        .build()
        .await
        .expect("a runtime")
}

fn redis() -> Raw {
    RedisServer::shared().raw()
}

/// What is left of the lease in Redis; `None` without one.
fn lease(redis: &mut Raw, key: &str) -> Option<Duration> {
    let left = redis.command(&["PTTL", key]).int().expect("PTTL gives a number");
    u64::try_from(left).ok().map(Duration::from_millis)
}

fn owner(redis: &mut Raw, key: &str) -> Option<String> {
    redis.command(&["GET", key]).text().map(str::to_owned)
}
