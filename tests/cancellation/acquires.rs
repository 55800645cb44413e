//! An acquire that is cancelled, or dropped when it is done.

use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use dlock_runtime::Runtime;
use dlock_testkit::{Dice, Fault, Proxy, RedisServer, Rule, eventually};

use crate::{AT_ONCE, LONG, behind, free_at_once, held, on, redis, tokio};

// ---- an acquire that is cancelled ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_cancelled_at_any_moment_leaves_no_orphan() {
    let runtime = on(RedisServer::shared().url()).await;
    let (mut redis, mut dice) = (redis(), Dice(0x5eed));
    // How long an acquire takes here, so that the moments fall before, into and after it.
    let start = Instant::now();
    runtime.lock("moments").acquire().await.expect("it is free").release().await.expect("ours");
    let span = u64::try_from(start.elapsed().as_micros()).expect("short").clamp(200, 5_000) * 3 / 2;
    for round in 0..300 {
        let other = runtime.clone();
        let task = tokio::spawn(async move { other.lock("moments").acquire().await.map(drop) });
        let moment = Instant::now() + Duration::from_micros(dice.below(span));
        while Instant::now() < moment {
            tokio::task::yield_now().await;
        }
        task.abort();
        // Either outcome is fine, cancelled or done, as long as nothing stays.
        let _ = task.await;
        if round % 10 == 9 {
            eventually("no orphan", AT_ONCE, || !redis.exists("cancel:moments"));
        }
    }
    assert!(runtime.shutdown(AT_ONCE * 5).await);
    assert!(!redis.exists("cancel:moments"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_cancelled_after_any_number_of_polls_leaves_no_orphan() {
    let runtime = on(RedisServer::shared().url()).await;
    let mut redis = redis();
    for polls in (0..40).cycle().take(200) {
        let mut left = polls;
        let request = runtime.lock("polls");
        let mut acquire = Box::pin(request.acquire());
        let counted = std::future::poll_fn(|context| {
            if left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= 1;
            // Busy polling, so that the count runs out in the middle of things.
            context.waker().wake_by_ref();
            acquire.as_mut().poll(context).map(Some)
        });
        drop(counted.await);
        drop(acquire);
    }
    eventually("no orphan", AT_ONCE, || !redis.exists("cancel:polls"));
    assert!(runtime.shutdown(AT_ONCE * 5).await);
    assert!(!redis.exists("cancel:polls"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_waiter_does_not_get_the_lock_later() {
    let (_runtime, guard) = held("waiter").await;
    let (other, mut dice) = (on(RedisServer::shared().url()).await, Dice(77));
    for _ in 0..50 {
        let waiting = other.lock("waiter").acquire();
        let patience = Duration::from_micros(dice.below(5_000));
        assert!(tokio::time::timeout(patience, waiting).await.is_err(), "the lock is held");
    }
    guard.release().await.expect("held throughout");
    // Whatever the cancelled ones had under way must be undone, and must not come later either.
    free_at_once("waiter");
    assert!(other.shutdown(AT_ONCE * 5).await);
    free_at_once("waiter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_acquire_whose_command_runs_late_is_undone() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let runtime = behind(&proxy).await;
    let mut redis = server.raw();
    let before = redis.fence_clock();
    proxy.add(Rule::new(Fault::Hold).matching("late").times(1));
    let cancelled = tokio::time::timeout(Duration::from_millis(50), runtime.lock("late").acquire()).await;
    assert!(cancelled.is_err());
    assert_eq!(proxy.struck(), 1, "its command is in the network");
    proxy.heal();
    eventually("the command has run", AT_ONCE * 3, || redis.fence_clock() > before);
    eventually("it is undone", AT_ONCE * 3, || !redis.exists("cancel:late"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_acquire_whose_command_runs_even_after_the_release_is_undone() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let runtime = behind(&proxy).await;
    let mut redis = server.raw();
    proxy.add(Rule::new(Fault::Hold).matching("later").times(1));
    let (scripts, before) = (redis.command_stats().get("evalsha").copied(), redis.fence_clock());
    let cancelled = tokio::time::timeout(Duration::from_millis(50), runtime.lock("later").acquire()).await;
    assert!(cancelled.is_err());
    eventually("the keeper has released what was not there yet", LONG, || {
        redis.command_stats().get("evalsha").copied() > scripts
    });
    assert_eq!(redis.fence_clock(), before, "its command is still in the network");
    proxy.heal();
    eventually("the command has run", AT_ONCE * 3, || redis.fence_clock() > before);
    eventually("it is undone", AT_ONCE * 5, || !redis.exists("cancel:later"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_acquire_whose_reply_is_lost_is_undone() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::Delay(AT_ONCE / 2)] {
        let server = RedisServer::start();
        let proxy = Proxy::start(&server);
        let runtime = behind(&proxy).await;
        let mut redis = server.raw();
        proxy.add(Rule::new(fault.clone()).matching("lost").times(1));
        let task = tokio::spawn({
            let runtime = runtime.clone();
            async move {
                // After a cut it asks again and may succeed before it is cancelled: then the guard is dropped.
                let _guard = runtime.lock("lost").acquire().await;
                std::future::pending::<()>().await;
            }
        });
        eventually("the command has run", AT_ONCE, || redis.exists("cancel:lost"));
        task.abort();
        let _ = task.await;
        eventually(&format!("{fault:?} is undone"), AT_ONCE * 4, || !redis.exists("cancel:lost"));
    }
}

// ---- an acquire that the keeper does, because the caller's executor cannot ----

/// Rounds in which the keeper acquires the lock and the future is dropped before it is polled again.
async fn dropped_when_it_is_done(key: &str, runtime: &Runtime) {
    let mut redis = redis();
    for round in 0..30 {
        let mut acquire = Box::pin(runtime.lock(key).acquire());
        // It is polled until it is with the keeper: the line may have a head that is about to go.
        let mut done = std::pin::pin!(async {
            _ = acquire.as_mut().await;
        });
        let mut poll = || done.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        eventually("the keeper has the lock", LONG, || redis.exists(&format!("cancel:{key}")) || poll());
        // The script ran. The keeper has 0, 2 or 4 ms to read its answer, so that the drop comes before it or after it.
        std::thread::sleep(Duration::from_millis(round % 3 * 2));
        drop(acquire);
        free_at_once(key);
    }
}

#[test]
fn an_acquire_on_an_executor_without_tokio_that_is_dropped_when_it_is_done_leaves_no_orphan() {
    let runtime = tokio().block_on(on(RedisServer::shared().url()));
    let mut work = Box::pin(dropped_when_it_is_done("no-tokio", &runtime));
    let done = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(done.is_ready(), "nothing in it waits");
}
