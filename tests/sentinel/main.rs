//! Locks in a master that Redis Sentinel watches over: the runtime finds it, and moves with it after a failover.

mod failover;
mod finding;
#[path = "../shared/mod.rs"]
mod shared;

use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{Raw, Sentinels, Value, eventually};

use self::shared::*;

fn on(group: &Sentinels) -> Builder {
    at(Sentinels::MASTER, group.urls())
}

fn at(master: &str, sentinels: Vec<String>) -> Builder {
    // `tests/failover` has the guard.
    let builder = Runtime::builder().sentinel(master, sentinels).failover_guard(false);
    builder.namespace("sentinel").ttl(LONG).wait(LONG)
}

async fn build(group: &Sentinels) -> Runtime {
    on(group).build().await.expect("the master is there")
}

/// Returns when the replicas have what the master has.
fn until_copied(group: &Sentinels) {
    let mut raw = group.master().raw();
    eventually("it is copied", SOON, || {
        raw.command(&["SET", "copied", "1"]);
        raw.command(&["WAIT", "2", "1000"]) == Value::Int(2)
    });
}

/// How many connections of ours a server has. Sentinels listen to one channel of it, and we to two.
fn connections(raw: &mut Raw) -> usize {
    raw.clients().iter().filter(|client| client["name"] == "checkout" || client["sub"] == "2").count()
}
