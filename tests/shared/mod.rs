//! What tests of several servers have in common: who waits for whom, how a lock goes from one to the other, and what errors say.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, Guard, LockError, Runtime};
use dlock_testkit::eventually_async;
use tokio::task::JoinHandle;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// A lease that no test lives to see the end of.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// How much later than `wait` a request may end, on a loaded machine.
pub(crate) const SLACK: Duration = Duration::from_millis(700);

pub(crate) fn wait_for(runtime: &Runtime, key: &str) -> JoinHandle<Guard> {
    let request = runtime.lock(key);
    tokio::spawn(async move { request.acquire().await.expect("a turn") })
}

pub(crate) async fn until_waiting(runtime: &Runtime, key: &str, count: u64) {
    eventually_async(&format!("{count} wait for {key}"), SOON, async || {
        runtime.inspect(key).await.is_ok_and(|holder| holder.is_some_and(|holder| holder.waiters() == count))
    })
    .await;
}

/// From one to the other, by a message: by polls it would take 125 ms on the average.
pub(crate) async fn is_direct(holder: &Runtime, waiter: &Runtime, key: &str) {
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

pub(crate) fn text(error: &LockError) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!(": {error}");
        source = error.source();
    }
    assert!(!said.contains("sesame"), "{said}");
    said
}

pub(crate) async fn refused(builder: Builder) -> String {
    let error = builder.wait(300 * MS).build().await.expect_err("it cannot be built");
    assert!(matches!(error, LockError::Config { .. }), "{error:?}");
    text(&error)
}
