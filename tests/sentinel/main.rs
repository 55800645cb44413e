//! Locks in a master that Redis Sentinel watches over: the runtime finds it, and moves with it after a failover.

mod failover;
mod finding;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, Guard, LockError, Runtime};
use dlock_testkit::{Raw, Sentinels, Value, eventually, eventually_async};
use tokio::task::JoinHandle;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const SOON: Duration = Duration::from_secs(30);
/// A lease that no test lives to see the end of.
const LONG: Duration = Duration::from_secs(60);
/// How much later than `wait` a request may end, on a loaded machine.
const SLACK: Duration = Duration::from_millis(700);

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

fn wait_for(runtime: &Runtime, key: &'static str) -> JoinHandle<Guard> {
    let request = runtime.lock(key);
    tokio::spawn(async move { request.acquire().await.expect("a turn") })
}

async fn until_somebody_waits(runtime: &Runtime, key: &'static str) {
    eventually_async("somebody waits", SOON, async || {
        runtime.inspect(key).await.is_ok_and(|holder| holder.is_some_and(|holder| holder.waiters() == 1))
    })
    .await;
}

/// From one to the other, by a message: by polls it would take 125 ms on the average.
async fn is_direct(holder: &Runtime, waiter: &Runtime) {
    let mut times = Vec::new();
    for _ in 0..9 {
        let guard = holder.lock("times").acquire().await.expect("a turn");
        let waiting = wait_for(waiter, "times");
        until_somebody_waits(holder, "times").await;
        let released = Instant::now();
        guard.release().await.expect("ours");
        waiting.await.expect("no panic").release().await.expect("ours");
        times.push(released.elapsed());
    }
    times.sort();
    assert!(times[4] < 60 * MS, "{times:?}");
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
