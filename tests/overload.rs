//! Many requests at once: they travel together, what is under way is bounded, and nothing of that shows but the time it takes.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Wake},
    time::Duration,
};

use dlock_runtime::{Builder, LockError, Runtime};
use dlock_testkit::{Raw, RedisServer, eventually, eventually_async, full};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(30);

/// With `DLOCK_FULL=1` as many as there were in the report of a shop.
fn many(all: usize) -> usize {
    full(all, all / 10)
}

async fn on(server: &RedisServer) -> Runtime {
    built(server, Runtime::builder()).await
}

async fn built(server: &RedisServer, builder: Builder) -> Runtime {
    let builder = builder.redis(server.url()).namespace("overload").ttl(SOON * 2).wait(SOON);
    builder.build().await.expect("the store is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_keys_is_granted_on_the_connections_that_are_there() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let mut raw = server.raw();
    let before = raw.figure("stats", "total_connections_received");
    let mut requests = JoinSet::new();
    for id in 0..many(50_000) {
        let request = runtime.lock(format!("crowd:{id}"));
        requests.spawn(if id % 2 == 0 { request.acquire() } else { request.unfenced().acquire() });
    }
    let guards = requests.join_all().await;
    for guard in guards {
        guard.expect("each has a key of its own").release().await.expect("ours");
    }
    let more = raw.figure("stats", "total_connections_received") - before;
    // The keeper's and that for messages, and some where a machine is too busy. Without a bound there is one for every few requests.
    assert!(more <= 20, "{more} new connections");
    assert!(raw.keys().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_that_are_dropped_at_once_are_all_released() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let mut raw = server.raw();
    let count = many(200_000);
    let mut guards = Vec::new();
    for at in 0..count / 500 {
        let requests = (0..500).map(|id| runtime.lock(format!("dropped:{at}:{id}")).unfenced().acquire());
        guards.extend(requests.collect::<JoinSet<_>>().join_all().await);
    }
    let guards = guards.into_iter().collect::<Result<Vec<_>, LockError>>().expect("they are free");
    let scripts = |raw: &mut Raw| raw.command_stats().get("evalsha").copied().unwrap_or(0);
    let ran = scripts(&mut raw);
    drop(guards);
    assert!(runtime.shutdown(SOON * 2).await, "all of them are given back");
    assert!(raw.keys().is_empty());
    let ran = scripts(&mut raw) - ran;
    // The keeper sends one again that is not confirmed in time, which is right where an executor has stopped.
    assert!(ran < count as u64 * 2, "{ran} scripts for {count} releases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_ready_together_travel_together() {
    let server = RedisServer::start();
    // A release is not tried again, and on a busy machine a reply takes long.
    let runtime = built(&server, Runtime::builder().command_timeout(SOON)).await;
    let mut raw = server.raw();
    let mut reads_a_turn = async |tasks: usize| {
        let before = raw.figure("stats", "total_reads_processed");
        let mut all = JoinSet::new();
        for task in 0..tasks {
            let runtime = runtime.clone();
            all.spawn(async move {
                for turn in 0..50 {
                    let guard = runtime.lock(format!("together:{task}:{turn}")).acquire().await.expect("free");
                    guard.release().await.expect("ours");
                }
            });
        }
        all.join_all().await;
        (raw.figure("stats", "total_reads_processed") - before) as f64 / (tasks * 50) as f64
    };
    let alone = reads_a_turn(1).await;
    assert!(alone > 1.5, "the negative control: one task has nobody to travel with, {alone} reads a turn");
    let together = reads_a_turn(256).await;
    assert!(together < 0.3, "{together} reads a turn");
}

#[tokio::test]
async fn a_dropped_guard_comes_before_the_next_request_of_its_task() {
    let server = RedisServer::start();
    // A connection that is given up has no order with the next one: on a busy machine a reply takes long.
    let builder = Runtime::builder().redis(server.url()).namespace("overload").command_timeout(SOON);
    let runtime = builder.build().await.expect("the store is there");
    let mut all = JoinSet::new();
    for task in 0..64 {
        let runtime = runtime.clone();
        all.spawn(async move {
            for turn in 0..50 {
                let guard = runtime.lock(format!("order:{task}")).try_acquire().await.expect("an answer");
                drop(guard.unwrap_or_else(|| panic!("task {task} meets its own lock in turn {turn}")));
            }
        });
    }
    all.join_all().await;
    assert!(runtime.shutdown(SOON).await);
    eventually("nothing is left", SOON, || server.raw().keys().is_empty());
}

/// Whoever waits for something that the keeper says keeps it until this is told to let it go.
struct Stuck(Mutex<mpsc::Receiver<()>>, AtomicBool);

impl Wake for Stuck {
    fn wake(self: Arc<Self>) {
        self.1.store(true, Ordering::SeqCst);
        _ = self.0.lock().expect("the only one").recv();
    }
}

/// Does something while the keeper of `runtime` is stuck.
async fn while_the_keeper_is_late(runtime: &Runtime, work: impl AsyncFnOnce()) {
    let (let_go, stays) = mpsc::channel();
    let stuck = Arc::new(Stuck(Mutex::new(stays), AtomicBool::new(false)));
    let short = runtime.lock("short").ttl(Duration::from_millis(50)).renew(false).acquire().await.expect("free");
    let waker = stuck.clone().into();
    let mut body = pin!(short.run(std::future::pending::<()>()));
    assert!(body.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    eventually("the keeper is late", SOON, || stuck.1.load(Ordering::SeqCst));
    work().await;
    drop(let_go);
}

#[tokio::test]
async fn dropped_guards_come_before_the_next_requests_of_their_tasks_also_if_the_keeper_is_late() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).namespace("overload").command_timeout(SOON);
    let runtime = builder.build().await.expect("the store is there");
    while_the_keeper_is_late(&runtime, async || {
        // More than may be under way.
        for turn in 0..2_000 {
            let guard = runtime.lock("order").try_acquire().await.expect("an answer");
            drop(guard.unwrap_or_else(|| panic!("it meets its own lock in turn {turn}")));
        }
    })
    .await;
    assert!(runtime.shutdown(SOON).await);
    eventually("nothing is left", SOON, || server.raw().keys().is_empty());
}

#[tokio::test]
async fn dropped_guards_that_others_wait_for_are_handed_over_also_if_the_keeper_is_late() {
    let server = RedisServer::start();
    let (runtime, other) = (on(&server).await, on(&server).await);
    let key = |id: usize| format!("wanted:{id}");
    let count = 300;
    let mut guards = Vec::new();
    for id in 0..count {
        guards.push(runtime.lock(key(id)).acquire().await.expect("free"));
    }
    while_the_keeper_is_late(&runtime, async || {
        // The runtime does not hear of them, so its releases travel together, in a script that leaves alone what others wait for.
        let waiting: JoinSet<_> = (0..count).map(|id| other.lock(key(id)).acquire()).collect();
        let mut raw = server.raw();
        eventually_async("all of them are in their queues", SOON, async || {
            raw.keys().iter().filter(|key| key.ends_with("}:queue")).count() == count
        })
        .await;
        drop(guards);
        let handed_over = tokio::time::timeout(SOON, waiting.join_all()).await.expect("nobody waits for the keeper");
        assert!(handed_over.iter().all(Result::is_ok));
    })
    .await;
    assert!(runtime.shutdown(SOON).await && other.shutdown(SOON).await);
    eventually("nothing is left", SOON, || server.raw().keys().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_in_time_is_unavailable_and_leaves_nothing() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).namespace("overload").wait(Duration::from_millis(300));
    let runtime = builder.command_timeout(SOON).build().await.expect("the store is there");
    drop(runtime.lock("first").acquire().await.expect("free"));
    // Whatever is under way now stays there.
    server.pause();
    let requests = (0..3_000).map(|id| runtime.lock(format!("late:{id}")).acquire()).collect::<JoinSet<_>>();
    let errors = requests.join_all().await.into_iter().map(|guard| format!("{:?}", guard.expect_err("nobody answers")));
    let unsent = errors.filter(|error| error.contains("too many requests are under way")).count();
    server.resume();
    assert!((1..=3_000 - 1_000).contains(&unsent), "{unsent} were not sent");
    assert!(runtime.shutdown(SOON).await);
    eventually("nothing is left", SOON, || server.raw().keys().is_empty());
}
