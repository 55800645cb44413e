//! Many tasks that want the same lock and run out of time together. They are told what is known, and the store is asked as
//! often as for one of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{Fault, Proxy, Raw, RedisServer, Rule, with_turns};
use tokio::task::JoinSet;

const SECOND: Duration = Duration::from_secs(1);

async fn on(server: &RedisServer) -> Runtime {
    at(server.url()).await
}

async fn at(url: String) -> Runtime {
    let builder = Runtime::builder().turns(with_turns()).redis(url).namespace("crowd").ttl(30 * SECOND);
    builder.waiters_per_key(20_000).build().await.expect("a runtime")
}

/// As many tasks ask for the lock `k`, each for as long as `wait` says. What they get.
async fn crowd(runtime: &Runtime, tasks: u32, wait: impl Fn(u32) -> Duration) -> Vec<LockError> {
    let mut crowd = JoinSet::new();
    for number in 0..tasks {
        let request = runtime.lock("k").wait(wait(number));
        crowd.spawn(async move { request.acquire().await.map(drop) });
    }
    crowd.join_all().await.into_iter().map(|got| got.expect_err("somebody else holds it")).collect()
}

/// How many scripts ran since the last `CONFIG RESETSTAT`.
fn scripts(redis: &mut Raw) -> u64 {
    let scripts = redis.command_stats().into_iter().filter(|(name, _)| name.starts_with("eval"));
    scripts.map(|(_, calls)| calls).sum()
}

fn reset(redis: &mut Raw) {
    redis.command(&["CONFIG", "RESETSTAT"]);
}

fn all_busy(errors: &[LockError]) {
    let other = errors.iter().find(|error| !error.is_busy());
    assert!(other.is_none(), "{other:?}");
}

async fn shutdown_is_true_and_quick(runtime: Runtime) {
    let began = Instant::now();
    assert!(runtime.shutdown(20 * SECOND).await);
    assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_for_another_runtime_time_out_with_a_few_commands() {
    let server = RedisServer::start();
    let (holder, runtime, mut redis) = (on(&server).await, on(&server).await, server.raw());
    let guard = holder.lock("k").acquire().await.expect("free");
    for tasks in [1_000, 10_000] {
        reset(&mut redis);
        let began = Instant::now();
        let errors = crowd(&runtime, tasks, |_| SECOND).await;
        let (took, scripts) = (began.elapsed(), scripts(&mut redis));
        all_busy(&errors);
        let named = errors.iter().filter(|error| matches!(error, LockError::Busy { holder: Some(_), .. })).count();
        assert_eq!(named, errors.len(), "they are told who holds it");
        // Four a second, the first, and the last; more where the machine is busy. It is the number of tasks that it must not
        // grow with: each used to ask.
        let bound = 100 + 20 * took.as_secs();
        assert!(scripts <= bound, "{scripts} for {tasks} tasks in {took:?}");
    }
    assert!(guard.is_held());
    shutdown_is_true_and_quick(runtime).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_that_time_out_one_after_another_do_not_ask_one_after_another() {
    let server = RedisServer::start();
    let (holder, runtime, mut redis) = (on(&server).await, on(&server).await, server.raw());
    let _guard = holder.lock("k").acquire().await.expect("free");
    reset(&mut redis);
    let began = Instant::now();
    let errors = crowd(&runtime, 2_000, |number| SECOND / 2 + SECOND / 2_000 * number).await;
    all_busy(&errors);
    let (took, scripts) = (began.elapsed(), scripts(&mut redis));
    assert!(scripts <= 60 + 20 * took.as_secs(), "{scripts} in {took:?}");
    shutdown_is_true_and_quick(runtime).await;
}

/// As on a machine that is too busy to reply in time, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_do_not_ask_one_after_another_because_one_reply_was_late() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let (holder, runtime, mut redis) = (on(&server).await, at(proxy.url()).await, server.raw());
    let _guard = holder.lock("k").acquire().await.expect("free");
    reset(&mut redis);
    let began = Instant::now();
    // The last question of the first of them.
    proxy.add(Rule::new(Fault::Delay(SECOND / 10)).matching("crowd:k").skip(2).times(1));
    let errors = crowd(&runtime, 2_000, |number| SECOND / 2 + SECOND / 2_000 * number).await;
    all_busy(&errors);
    let (took, scripts) = (began.elapsed(), scripts(&mut redis));
    assert!(scripts <= 60 + 20 * took.as_secs(), "{scripts} in {took:?}");
    shutdown_is_true_and_quick(runtime).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_for_a_task_of_their_own_runtime_send_nothing() {
    let server = RedisServer::start();
    let (runtime, mut redis) = (on(&server).await, server.raw());
    let guard = runtime.lock("k").acquire().await.expect("free");
    for wait in [SECOND, Duration::ZERO] {
        reset(&mut redis);
        let errors = crowd(&runtime, 10_000, |_| wait).await;
        all_busy(&errors);
        // The holder is renewed now and then.
        let scripts = scripts(&mut redis);
        assert!(scripts <= 4, "{scripts}");
        let LockError::Busy { holder: Some(holder), .. } = &errors[0] else { panic!("{:?}", errors[0]) };
        assert!(holder.owner().contains(&std::process::id().to_string()), "{holder:?}");
        assert_eq!(holder.fence(), Some(guard.fence()));
    }
    guard.release().await.expect("held");
    shutdown_is_true_and_quick(runtime).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_for_a_dead_server_get_its_error() {
    let mut server = RedisServer::start();
    let runtime = on(&server).await;
    server.kill();
    for error in crowd(&runtime, 10_000, |_| SECOND).await {
        assert!(error.is_unavailable() && std::error::Error::source(&error).is_some(), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_for_a_silent_server_time_out_in_time_and_cause_no_storm() {
    let server = RedisServer::start();
    let (runtime, mut redis) = (on(&server).await, server.raw());
    runtime.lock("k").acquire().await.expect("free").release().await.expect("held");
    reset(&mut redis);
    server.pause();
    let began = Instant::now();
    // Before the first question has had the time that an answer may take.
    let errors = crowd(&runtime, 10_000, |_| SECOND / 4).await;
    let took = began.elapsed();
    server.resume();
    for error in errors {
        assert!(error.is_unavailable() && std::error::Error::source(&error).is_some(), "{error:?}");
    }
    assert!(took < 5 * SECOND, "{took:?}");
    shutdown_is_true_and_quick(runtime).await;
    let scripts = scripts(&mut redis);
    assert!(scripts <= 100, "{scripts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_at_a_shutdown_get_shut_down_and_send_nothing() {
    let server = RedisServer::start();
    let (holder, runtime, mut redis) = (on(&server).await, Arc::new(on(&server).await), server.raw());
    let _guard = holder.lock("k").acquire().await.expect("free");
    let waiting = tokio::spawn({
        let runtime = Arc::clone(&runtime);
        async move { crowd(&runtime, 10_000, |_| 60 * SECOND).await }
    });
    dlock_testkit::eventually_async("all are in the queue", 20 * SECOND, async || {
        // While they come in, a busy machine may be late with an answer.
        let holder = runtime.inspect("k").await.ok().flatten();
        holder.is_some_and(|holder| holder.waiters() >= 9_999)
    })
    .await;
    reset(&mut redis);
    assert!(runtime.shutdown(20 * SECOND).await);
    for error in waiting.await.expect("no panic") {
        assert!(matches!(error, LockError::ShutDown), "{error:?}");
    }
    let scripts = scripts(&mut redis);
    assert!(scripts <= 10, "{scripts}");
}
