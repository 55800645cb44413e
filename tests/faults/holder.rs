//! The holder itself is stuck or stopped: it keeps its lock, or does not go on without it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use dlock_runtime::LockError;
use dlock_testkit::{Raw, RedisServer, Value, Worker, eventually, eventually_async, role, say};

use crate::{KEPT, SLACK, SOON, TTL, error, on};

/// Runs a body that blocks its only executor thread for three leases under a lock, while another thread looks at the
/// key. Gives what the body's run gave, and whether the key was always there with one owner.
fn blocked(key: &'static str, renew: bool) -> (Result<(), LockError>, bool) {
    let server = RedisServer::shared();
    let name = format!("faults:{key}");
    let (looking, always) = (AtomicBool::new(false), AtomicBool::new(true));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut raw = server.raw();
            eventually("the body has begun", SOON, || looking.load(Ordering::Acquire));
            let owner = raw.token(&name);
            while looking.load(Ordering::Acquire) {
                let same = owner.is_some() && raw.token(&name) == owner;
                // Asked before the body ended, or the release could be taken for a loss.
                if looking.load(Ordering::Acquire) && !same {
                    always.store(false, Ordering::Release);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
        tokio.block_on(async {
            let runtime = on(server.url()).await;
            let guard = runtime.lock(key).ttl(KEPT).renew(renew).acquire().await.expect("it is free");
            let body = async {
                looking.store(true, Ordering::Release);
                std::thread::sleep(KEPT * 3);
                looking.store(false, Ordering::Release);
                // The first await after the block: here a body that has lost its lock ends.
                tokio::task::yield_now().await;
            };
            guard.run(body).await
        })
    });
    (result, always.load(Ordering::Acquire))
}

#[test]
fn a_body_that_blocks_its_executor_keeps_its_lock() {
    let (result, always) = blocked("blocked", true);
    result.expect("held throughout");
    assert!(always, "the key was there all the time");
}

#[test]
fn control_a_blocking_body_without_renewal_loses_its_lock_and_is_stopped() {
    let (result, always) = blocked("blocked:control", false);
    assert!(error(result).is_lost());
    assert!(!always);
}

/// Where worker processes of this file start: a holder that is stopped in the middle of its work.
#[test]
fn worker_entry() {
    let Some(role) = role() else { return };
    let url = std::env::var("URL").expect("URL is set");
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    tokio.block_on(async {
        let runtime = on(url).await;
        let guard = runtime.lock("stopped").acquire().await.expect("it is free");
        let fence = guard.fence();
        let work = async {
            say(format_args!("inside {fence}"));
            // It is stopped in here, and continued when this is over: then only the lock keeps it from going on.
            tokio::time::sleep(KEPT).await;
            say("went on");
        };
        if role == "careful" {
            match guard.run(work).await {
                Err(LockError::Lost { .. }) => say("lost"),
                Err(other) => say(format_args!("failed {other}")),
                Ok(()) => say("finished"),
            }
        } else {
            work.await;
        }
        say("end");
    });
}

/// A resource that keeps the highest fence it has seen, and refuses lower ones.
fn write(raw: &mut Raw, fence: &str) -> bool {
    const CLAIM: &str = "if tonumber(ARGV[1]) < tonumber(redis.call('GET', KEYS[1]) or '0') then return 0 end
      redis.call('SET', KEYS[1], ARGV[1]) return 1";
    raw.command(&["EVAL", CLAIM, "1", "resource", fence]) == Value::Int(1)
}

/// Stops a worker inside its section until somebody else has the lock, and lets it go on. Gives what it said then.
async fn stopped(role: &str) -> Vec<String> {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let worker = Worker::spawn("holder::worker_entry", role, &[("URL", &server.url())]);
    let stale = worker.expect("inside", SOON);
    let inside = Instant::now();
    worker.stop();
    assert!(write(&mut raw, &stale), "its fence is the highest so far");
    let runtime = on(server.url()).await;
    let guard = runtime.lock("stopped").wait(SOON).acquire().await.expect("a stopped process loses its lease");
    assert!(write(&mut raw, &guard.fence().to_string()));
    eventually("nothing but the lock keeps it from going on", SOON, || inside.elapsed() > KEPT + KEPT / 5);
    worker.cont();
    let mut said = Vec::new();
    eventually("it has ended", SOON, || {
        said.extend(worker.said());
        said.iter().any(|line| line == "end")
    });
    assert!(!write(&mut raw, &stale), "the resource refuses the stale fence");
    assert!(guard.is_held(), "the stale holder did not release the lock of the next");
    guard.release().await.expect("still ours");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_stopped_past_its_lease_does_not_go_on_with_its_body() {
    assert_eq!(stopped("careful").await, ["lost", "end"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_stopped_process_that_ignores_the_loss_goes_on_and_only_the_fence_refuses_it() {
    assert_eq!(stopped("careless").await, ["went on", "end"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn max_hold_ends_a_body_that_never_ends() {
    let runtime = on(RedisServer::shared().url()).await;
    let guard = runtime.lock("max-hold").ttl(KEPT).max_hold(KEPT * 3 / 2).acquire().await.expect("it is free");
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() > KEPT && start.elapsed() < KEPT * 3 / 2 + SLACK, "{:?}", start.elapsed());
    drop(guard);
    let _next = runtime.lock("max-hold").wait(SOON).acquire().await.expect("others can go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_over_here_before_it_is_over_in_redis() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    for _ in 0..5 {
        let guard = runtime.lock("early").ttl(TTL / 2).renew(false).acquire().await.expect("it is free");
        eventually_async("it is over here", SOON, async || {
            let gone = !raw.exists("faults:early");
            // Asked in this order: once Redis has let go, we must not say that it is ours.
            assert!(!(gone && guard.is_held()), "held here and free in Redis");
            gone
        })
        .await;
    }
}
