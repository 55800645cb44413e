//! Locks in a Redis Cluster: each lies in the server that has its slot, and the runtime finds it there, wherever that is by now.

mod failover;
mod moving;
mod rights;
mod setup;
mod shards;
#[path = "../shared/mod.rs"]
mod shared;
mod together;

use dlock_runtime::{Builder, Runtime};
use dlock_testkit::Cluster;

use self::shared::*;

/// What a namespace puts before each key.
const PREFIX: &str = "cluster:";

fn on(cluster: &Cluster) -> Builder {
    at(cluster.urls())
}

fn at(nodes: impl IntoIterator<Item = String>) -> Builder {
    // `tests/failover` has the guard.
    Runtime::builder().cluster(nodes).failover_guard(false).namespace("cluster").ttl(LONG).wait(LONG)
}

async fn build(cluster: &Cluster) -> Runtime {
    on(cluster).build().await.expect("the cluster is there")
}

/// A key whose lock lies at that master.
fn key_at(cluster: &Cluster, master: usize, start: &str) -> String {
    let name = cluster.key_at(master, &format!("{PREFIX}{start}"));
    name.strip_prefix(PREFIX).expect("it begins so").to_owned()
}
