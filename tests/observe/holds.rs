//! What is told of a lock that is held: that it was released or lost, never both, and that it lasts long, once.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, LockError, Runtime, distributed_lock};
use dlock_testkit::{RedisServer, eventually, eventually_async, log::said};
use tracing::Level;

use crate::{
    MS, SECOND, SOON,
    kit::{listen, metric},
};

const LONG: Duration = Duration::from_millis(200);

fn redis() -> Builder {
    listen();
    Runtime::builder().redis(RedisServer::shared().url()).namespace("holds")
}

fn embedded() -> Builder {
    listen();
    Runtime::builder().embedded().namespace("holds")
}

/// How often `what` was told of the lock `key`.
fn count(what: &str, key: &str) -> usize {
    said(&format!("message={what} ")).iter().filter(|(_, line)| line.contains(&format!(" key={key} "))).count()
}

/// How often the hold of `key` was told to be released, and to be lost, once one of them is.
fn end(key: &str) -> (usize, usize) {
    let ends = || (count("released", key), count("lost", key));
    eventually("the end is told", SOON, || ends() != (0, 0));
    ends()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_was_lost_is_never_reported_as_released() {
    let runtime = redis().build().await.expect("a runtime");
    let mut raw = RedisServer::shared().raw();
    let mut delete = |key: &str| assert_eq!(raw.command(&["DEL", &format!("holds:{key}")]).int(), Some(1));

    runtime.lock("ends:well").acquire().await.expect("free").release().await.expect("ours");
    assert_eq!(end("ends:well"), (1, 0), "the negative control");
    drop(runtime.lock("ends:dropped").acquire().await.expect("free"));
    assert_eq!(end("ends:dropped"), (1, 0));

    // The loss comes out in the release itself.
    let guard = runtime.lock("ends:deleted").acquire().await.expect("free");
    delete("ends:deleted");
    assert!(guard.release().await.expect_err("deleted").is_lost());
    assert_eq!(end("ends:deleted"), (0, 1));
    // Before it, by time and by the store.
    let guard = runtime.lock("ends:expired").ttl(SECOND / 2).renew(false).acquire().await.expect("free");
    assert!(guard.run(pending::<()>()).await.expect_err("not renewed").is_lost());
    assert!(guard.release().await.expect_err("expired").is_lost());
    assert_eq!(end("ends:expired"), (0, 1));
    let guard = runtime.lock("ends:gone").ttl(SECOND).acquire().await.expect("free");
    delete("ends:gone");
    assert!(guard.run(pending::<()>()).await.expect_err("deleted").is_lost());
    drop(guard);
    assert_eq!(end("ends:gone"), (0, 1));
    eventually("every hold was measured", SOON, || metric("dlock_hold_seconds{lock=(by hand)}").1 >= 5);
}

#[distributed_lock(key = "long:<store>:fn", ttl = 10, runtime = runtime)]
async fn slow(runtime: &Runtime, store: &str) -> Result<(), LockError> {
    // It joins this hold, which is told once all the same.
    slow_inside(runtime, store).await?;
    // The executor is blocked: only a thread of its own can tell.
    let key = format!("long:{store}:fn");
    eventually("it is told", SOON, || count("held for long", &key) > 0);
    tokio::time::sleep(LONG * 2).await;
    Ok(())
}

#[distributed_lock(key = "long:<store>:fn", ttl = 10, runtime = runtime)]
async fn slow_inside(runtime: &Runtime, store: &str) -> Result<(), LockError> {
    Ok(())
}

async fn long_holds_are_told_once(store: &str, builder: Builder) {
    let runtime = builder.clone().warn_after(LONG).build().await.expect("a runtime");
    let long = |key: &str| count("held for long", &format!("long:{store}:{key}"));

    slow(&runtime, store).await.expect("ours");
    let lines = said(&format!("key=long:{store}:fn "));
    let lines: Vec<_> = lines.iter().filter(|(_, line)| line.contains("held for long")).collect();
    let [(level, line)] = *lines else { panic!("{lines:?}") };
    assert_eq!(*level, Level::WARN);
    for field in ["lock=long:<store>:fn ", "function=slow ", "fence=", "held="] {
        assert!(line.contains(field), "{line}");
    }
    assert!(metric("dlock_long_holds_total{lock=long:<store>:fn}").0 >= 1.0);

    // By hand, renewed often, and not at all.
    let often = runtime.lock(format!("long:{store}:often")).ttl(SECOND).renew(30 * MS).acquire().await.expect("free");
    let never = runtime.lock(format!("long:{store}:never")).ttl(SOON).renew(false).acquire().await.expect("free");
    eventually_async("both are told", SOON, async || long("often") > 0 && long("never") > 0).await;
    tokio::time::sleep(LONG * 2).await;
    assert_eq!((long("often"), long("never")), (1, 1), "once for each");
    drop((often, never));

    // Short turns, one after another without a break, are not one long hold. Those that this machine made long are left out.
    let began = Instant::now();
    let mut made_long = 0;
    while began.elapsed() < LONG * 3 {
        let since = Instant::now();
        let guard = runtime.lock(format!("long:{store}:short")).acquire().await.expect("free");
        tokio::time::sleep(MS).await;
        guard.release().await.expect("ours");
        made_long += usize::from(since.elapsed() >= LONG);
    }
    assert!(long("short") <= made_long, "{} of {made_long}", long("short"));

    // A lease that nobody uses is not held by anybody; the next turn on it is.
    let parking = builder.clone().warn_after(LONG).linger(SOON).build().await.expect("a runtime");
    let request = || parking.lock(format!("long:{store}:parked")).ttl(SOON);
    let since = Instant::now();
    drop(request().acquire().await.expect("free"));
    let made_long = usize::from(since.elapsed() >= LONG);
    tokio::time::sleep(LONG * 3).await;
    assert!(long("parked") <= made_long, "it is parked");
    let guard = request().acquire().await.expect("it is here");
    eventually_async("it is told", SOON, async || long("parked") > made_long).await;
    drop(guard);
    assert!(parking.shutdown(SOON).await);

    let silent = builder.warn_after(Duration::MAX).build().await.expect("a runtime");
    let guard = silent.lock(format!("long:{store}:silent")).ttl(SECOND).acquire().await.expect("free");
    tokio::time::sleep(LONG * 3).await;
    assert_eq!(long("silent"), 0);
    drop(guard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_long_is_reported_once_and_no_other() {
    long_holds_are_told_once("redis", redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_long_is_reported_once_and_no_other_embedded() {
    long_holds_are_told_once("embedded", embedded()).await;
}

#[tokio::test]
async fn a_warning_after_no_time_is_refused() {
    let error = embedded().warn_after(Duration::ZERO).build().await.expect_err("it makes no sense");
    assert!(error.is_config() && error.to_string().contains("warn_after"), "{error}");
}
