//! What is left in Redis when no lock is held: nothing but the fence clock, whatever way a lock went.

use std::time::Duration;

use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{Raw, RedisServer, Value, Worker, eventually, eventually_async, full, role, say};

const MS: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_secs(30);
/// A lease that a test sees the end of.
const TTL: Duration = Duration::from_millis(700);

fn on(server: &RedisServer) -> Builder {
    at(&server.url())
}

fn at(url: &str) -> Builder {
    Runtime::builder().redis(url).namespace("remains").ttl(LONG).wait(LONG)
}

async fn build(builder: Builder) -> Runtime {
    builder.build().await.expect("the store is there")
}

fn used_memory(raw: &mut Raw) -> i64 {
    raw.figure("memory", "used_memory") as i64
}

async fn until_one_waits(runtime: &Runtime, key: &'static str) {
    let waits = async || runtime.inspect(key).await.expect("asked").is_some_and(|holder| holder.waiters() == 1);
    eventually_async(&format!("somebody waits for {key}"), SOON, waits).await;
}

/// Takes and releases locks on keys of their own.
async fn cycles(runtime: &Runtime, from: u64, count: u64) {
    let tasks = (0..64).map(|task| {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            for number in (from + task..from + count).step_by(64) {
                runtime.lock(format!("order:{number}")).acquire().await.expect("free").release().await.expect("ours");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
}

/// A million with `DLOCK_FULL=1`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_locks_on_keys_of_their_own_leave_one_key_and_no_memory() {
    let count = full(1_000_000, 100_000);
    let server = RedisServer::start();
    let (mut raw, runtime) = (server.raw(), build(on(&server)).await);
    let held = runtime.lock("held").acquire().await.expect("free");
    assert_eq!(raw.keys(), ["remains:held"], "the negative control: a lock that is held is there");
    held.release().await.expect("ours");
    cycles(&runtime, 0, 1_000).await;
    let before = used_memory(&mut raw);
    cycles(&runtime, 1_000, count).await;
    assert_eq!(raw.command(&["DBSIZE"]), Value::Int(1), "{:?}", raw.keys());
    assert!(raw.fence_clock().is_some(), "the one key is the fence clock");
    assert!(raw.command(&["TTL", dlock_testkit::FENCE_CLOCK]).int() > Some(0), "it goes by itself");
    // One record of 60 bytes a lock would be 6 MB.
    let more = used_memory(&mut raw) - before;
    assert!(more < 1_000_000, "{more} bytes after {count} locks");
}

/// Each way with a key of its own. What is left after it goes by itself within a TTL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_that_a_lock_can_go_leaves_a_key() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let [one, other] = [build(on(&server)).await, build(on(&server)).await];
    let is_empty = |raw: &mut Raw, way: &str| {
        // What has expired is counted until the server comes to it.
        eventually(&format!("nothing is left after {way}"), SOON, || raw.command(&["DBSIZE"]) == Value::Int(1));
        assert_eq!(raw.keys(), Vec::<String>::new(), "{way}");
    };

    one.lock("release").acquire().await.expect("free").release().await.expect("ours");
    is_empty(&mut raw, "a release");
    drop(one.lock("drop").acquire().await.expect("free"));
    is_empty(&mut raw, "a drop");
    let expired = one.lock("expiry").ttl(TTL).renew(false).acquire().await.expect("free");
    eventually("it expires", SOON, || !expired.is_held());
    drop(expired);
    is_empty(&mut raw, "an expiry");

    let guard = one.lock("hand-over").acquire().await.expect("free");
    let waiting = tokio::spawn(other.lock("hand-over").acquire());
    until_one_waits(&one, "hand-over").await;
    guard.release().await.expect("ours");
    waiting.await.expect("no panic").expect("its turn").release().await.expect("ours");
    is_empty(&mut raw, "a hand-over");

    let guard = one.lock("cancellation").acquire().await.expect("free");
    let waiting = tokio::spawn(other.lock("cancellation").acquire());
    until_one_waits(&one, "cancellation").await;
    waiting.abort();
    _ = waiting.await;
    guard.release().await.expect("ours");
    is_empty(&mut raw, "a cancellation");

    let guard = one.lock("busy").acquire().await.expect("free");
    assert!(other.lock("busy").wait(50 * MS).acquire().await.is_err_and(|error| error.is_busy()));
    assert!(other.lock("busy").try_acquire().await.expect("asked").is_none());
    guard.release().await.expect("ours");
    is_empty(&mut raw, "a wait in vain");
}

#[test]
fn worker_entry() {
    let Some(role) = role() else { return };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    tokio.block_on(async {
        let runtime = build(at(&std::env::var("URL").expect("a URL")).ttl(TTL)).await;
        say("ready");
        let _guard = runtime.lock("crash").acquire().await.expect("a turn");
        say(role);
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_crash_of_the_holder_and_of_who_waits_leaves_nothing_after_the_ttl() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let [mut holder, mut waiter] = ["holder", "waiter"].map(|role| {
        let worker = Worker::spawn("worker_entry", role, &[("URL", &server.url())]);
        worker.expect("ready", SOON);
        if role == "holder" {
            worker.expect("holder", SOON);
        }
        worker
    });
    eventually("one holds it, and one waits", SOON, || raw.keys().len() == 3 && raw.is_marked("remains:crash"));
    waiter.kill();
    holder.kill();
    // What has expired is counted until the server comes to it.
    eventually("nothing is left", TTL + SOON, || raw.command(&["DBSIZE"]) == Value::Int(1));
    assert_eq!(raw.keys(), Vec::<String>::new());
}
