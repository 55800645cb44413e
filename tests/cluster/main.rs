//! Locks in a Redis Cluster: each lies in the server that has its slot, and the runtime finds it there, wherever that is by now.

mod failover;
mod moving;
mod rights;
mod setup;
mod shards;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, Guard, LockError, Runtime};
use dlock_testkit::{Cluster, eventually_async};
use tokio::task::JoinHandle;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const SOON: Duration = Duration::from_secs(30);
/// A lease that no test lives to see the end of.
const LONG: Duration = Duration::from_secs(60);
/// How much later than `wait` a request may end, on a loaded machine.
const SLACK: Duration = Duration::from_millis(700);
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

fn wait_for(runtime: &Runtime, key: &str) -> JoinHandle<Guard> {
    let request = runtime.lock(key);
    tokio::spawn(async move { request.acquire().await.expect("a turn") })
}

async fn until_waiting(runtime: &Runtime, key: &str, count: u64) {
    eventually_async(&format!("{count} wait for {key}"), SOON, async || {
        runtime.inspect(key).await.is_ok_and(|holder| holder.is_some_and(|holder| holder.waiters() == count))
    })
    .await;
}

/// From one to the other, by a message: by polls it would take 125 ms on the average.
async fn is_direct(holder: &Runtime, waiter: &Runtime, key: &str) {
    let mut times = Vec::new();
    for _ in 0..9 {
        let guard = holder.lock(key).acquire().await.expect("a turn");
        let waiting = wait_for(waiter, key);
        until_waiting(holder, key, 1).await;
        let released = Instant::now();
        guard.release().await.expect("ours");
        waiting.await.expect("no panic").release().await.expect("ours");
        times.push(released.elapsed());
    }
    times.sort();
    assert!(times[4] < 60 * MS, "{times:?}");
}

fn text(error: &LockError) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!(": {error}");
        source = error.source();
    }
    assert!(!said.contains("sesame"), "{said}");
    said
}

async fn refused(builder: Builder) -> String {
    let error = builder.wait(300 * MS).build().await.expect_err("it cannot be built");
    assert!(matches!(error, LockError::Config { .. }), "{error:?}");
    text(&error)
}
