//! Tasks that take turns, and processes that hand a lock over: what those who want the same lock can count on.
//!
//! Leases here last for half a minute unless a test says otherwise, and everything must go on long before: no test can
//! pass by expiry.

/// Runs each test on each store, each in a namespace of its own.
macro_rules! on_each_store {
    ($($(#[$meta:meta])* async fn $name:ident($builder:ident: Builder) $body:block)*) => {
        $(
            $(#[$meta])*
            async fn $name($builder: dlock_runtime::Builder) $body
        )*

        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::embedded().namespace(stringify!($name))).await;
                }
            )*
        }

        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::shared().namespace(stringify!($name))).await;
                }
            )*
        }

        mod cluster {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::cluster().namespace(stringify!($name))).await;
                }
            )*
        }
    };
}

mod bounds;
mod busy;
mod departures;
mod foreign;
mod hand_over;
mod linger;
mod local;
mod marks;
mod messages;
mod recall;
mod stopped;
mod storms;
mod switches;
mod terms;
mod workers;

use std::time::{Duration, Instant};

use dlock_runtime::{Builder, Guard, LockError, LostReason, Runtime};
use dlock_testkit::{Cluster, Raw, RedisServer, Value, eventually, eventually_async};
use tokio::task::JoinHandle;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// A lease, or a wait, that no test lives to see the end of.
const LONG: Duration = Duration::from_secs(30);
/// Far longer than any condition takes to come true, even on a loaded machine.
const SOON: Duration = Duration::from_secs(15);
/// What a loaded machine may add to a time that is promised.
const SLACK: Duration = Duration::from_millis(1500);
/// After so long at the latest a waiter asks, whatever it has heard.
const POLL: Duration = Duration::from_millis(250);

fn on(server: &RedisServer) -> Builder {
    Runtime::builder().redis(server.url()).namespace("turns").ttl(LONG).wait(LONG)
}

fn shared() -> Builder {
    on(RedisServer::shared())
}

fn cluster() -> Builder {
    Runtime::builder().cluster(Cluster::shared().urls()).failover_guard(false).namespace("turns").ttl(LONG).wait(LONG)
}

fn embedded() -> Builder {
    Runtime::builder().embedded().ttl(LONG).wait(LONG)
}

async fn build(builder: Builder) -> Runtime {
    builder.build().await.expect("the store is there")
}

/// Several runtimes: to the store they are several processes.
async fn build_some<const COUNT: usize>(builder: Builder) -> [Runtime; COUNT] {
    let mut runtimes = Vec::new();
    for _ in 0..COUNT {
        runtimes.push(build(builder.clone()).await);
    }
    runtimes.try_into().expect("as many as were built")
}

async fn hold(runtime: &Runtime, key: &'static str) -> Guard {
    runtime.lock(key).acquire().await.expect("a turn")
}

/// A task that waits for the lock, and when it got it.
fn wait_for(runtime: &Runtime, key: &'static str) -> JoinHandle<(Guard, Instant)> {
    let request = runtime.lock(key);
    tokio::spawn(async move {
        let guard = request.acquire().await.expect("a turn");
        (guard, Instant::now())
    })
}

/// Several tasks that wait, one behind the other.
async fn queue_up(runtime: &Runtime, key: &'static str, count: u64) -> Vec<JoinHandle<(Guard, Instant)>> {
    let mut tasks = Vec::new();
    let before = waiting(runtime, key).await;
    for number in 1..=count {
        tasks.push(wait_for(runtime, key));
        until_waiting(runtime, key, before + number).await;
    }
    tasks
}

/// What a task that waited got.
async fn got<T>(waiting: JoinHandle<T>) -> T {
    tokio::time::timeout(SOON, waiting).await.expect("it comes to its turn").expect("no panic")
}

/// Has so many tasks wait one behind the other, and checks that none is served before one who came earlier.
async fn tasks_are_served_in_order(runtime: &Runtime, count: u64) {
    let guard = hold(runtime, "k").await;
    let mut tasks = Vec::new();
    for count in 1..=count {
        tasks.push(tokio::spawn({
            let runtime = runtime.clone();
            async move {
                let guard = hold(&runtime, "k").await;
                let fence = guard.fence();
                guard.release().await.expect("held throughout");
                fence
            }
        }));
        until_waiting(runtime, "k", count).await;
    }
    let mut last = guard.fence();
    guard.release().await.expect("ours");
    for task in tasks {
        let fence = got(task).await;
        assert!(fence > last, "somebody who came later was served before");
        last = fence;
    }
}

/// How long it takes, nine times, from a release by `one` until `other`, who waits, has the lock.
async fn hand_over_times(one: &Runtime, other: &Runtime) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..9 {
        let guard = hold(one, "k").await;
        let waiting = wait_for(other, "k");
        until_waiting(one, "k", 1).await;
        let released = Instant::now();
        guard.release().await.expect("ours");
        let (guard, at) = got(waiting).await;
        times.push(at.saturating_duration_since(released));
        guard.release().await.expect("ours");
    }
    times
}

/// Waits until so many wait for the lock, as `runtime` sees it: its own tasks, and other runtimes.
async fn until_waiting(runtime: &Runtime, key: &'static str, count: u64) {
    eventually_async(&format!("{count} wait for {key}"), SOON, async || waiting(runtime, key).await == count).await;
}

async fn waiting(runtime: &Runtime, key: &'static str) -> u64 {
    runtime.inspect(key).await.expect("asked").map_or(0, |holder| holder.waiters())
}

async fn until_free(runtime: &Runtime, key: &'static str) {
    eventually_async(&format!("{key} is free"), SOON, async || !runtime.is_locked(key).await.expect("asked")).await;
}

/// How long the store keeps the lock unless it is renewed.
async fn lasts(runtime: &Runtime, key: &'static str) -> Duration {
    let holder = runtime.inspect(key).await.expect("asked").expect("held");
    holder.remaining().expect("every lock ends")
}

#[track_caller]
fn assert_lost<T>(result: Result<T, LockError>, expected: LostReason) {
    let error = result.err().expect("it is lost");
    assert!(matches!(error, LockError::Lost { reason, .. } if reason == expected), "{error:?}");
}

/// How many scripts clients have called.
fn commands(raw: &mut Raw) -> u64 {
    let stats = raw.command_stats();
    ["eval", "evalsha"].iter().filter_map(|name| stats.get(*name)).sum()
}

/// How many entries the queue has, of the living and the dead, and how many of them are said to be seen.
fn queue_entries(raw: &mut Raw, lock: &str) -> [usize; 2] {
    ["queue", "seen"].map(|key| match raw.command(&["ZRANGE", &format!("{{{lock}}}:{key}"), "0", "-1"]) {
        // Entries begin with a token. There may be a mark beside them for a moment, which is none.
        Value::List(members) => members.iter().filter_map(Value::text).filter(|member| member.contains('-')).count(),
        other => panic!("{key} is no sorted set: {other:?}"),
    })
}

/// Waits until those who sit in the queue hear what is published to them: until then they are passed over.
#[track_caller]
fn until_they_listen(raw: &mut Raw, lock: &str) {
    eventually("they listen", SOON, || {
        let Value::List(entries) = raw.command(&["ZRANGE", &format!("{{{lock}}}:queue"), "0", "-1"]) else {
            return false;
        };
        let identities = entries.iter().filter_map(|entry| entry.text()?.split('-').next());
        !entries.is_empty()
            && identities.map(|identity| format!("dlock:{identity}")).all(|channel| {
                let Value::List(answer) = raw.command(&["PUBSUB", "NUMSUB", &channel]) else { return false };
                answer.get(1).and_then(Value::int) == Some(1)
            })
    });
}

/// Waits until the store has neither the lock nor an entry in its queue. Leases and entries that nobody gives back last longer.
#[track_caller]
fn nothing_is_left(raw: &mut Raw, lock: &str) {
    eventually(&format!("{lock} is given back"), SLACK, || !raw.exists(lock));
    // Who gave up is taken out in the background; what is forgotten would lapse after a second.
    let soon = Duration::from_millis(700);
    eventually(&format!("nobody is in the queue for {lock}"), soon, || queue_entries(raw, lock) == [0, 0]);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Where worker processes of this binary start.
#[test]
fn worker_entry() {
    workers::work();
}
