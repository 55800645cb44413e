//! Requests that nobody looks at the fence of: they take a free lock by one plain command, and everything else holds for them as
//! for others.

use std::time::{Duration, Instant};

use dlock_runtime::{LockError, Runtime, distributed_lock};
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, eventually};

const SOON: Duration = Duration::from_secs(5);

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().redis(url).namespace("unfenced").ttl(SOON * 4).wait(SOON);
    builder.build().await.expect("the store is there")
}

fn calls(server: &RedisServer, command: &str) -> u64 {
    server.raw().command_stats().get(command).copied().unwrap_or(0)
}

#[distributed_lock(key = "plain:<id>", runtime = runtime)]
async fn plain(runtime: &Runtime, id: u32) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "guarded:<id>", runtime = runtime, guard = lock)]
async fn guarded(runtime: &Runtime, id: u32) -> Result<u64, LockError> {
    Ok(lock.fence())
}

#[distributed_lock(key = "plain:<id>", runtime = runtime)]
async fn joined_with_a_guard(runtime: &Runtime, id: u32) -> Result<[u64; 2], LockError> {
    let inner = runtime.lock(format!("plain:{id}")).acquire().await?;
    let again = runtime.lock(format!("plain:{id}")).acquire().await?;
    Ok([inner.fence(), again.fence()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_lock_is_taken_by_one_plain_command_and_leaves_nothing_behind() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let before = ["set", "eval", "evalsha"].map(|command| calls(&server, command));
    for id in 0..10 {
        let guard = runtime.lock(format!("by-hand:{id}")).unfenced().acquire().await.expect("free");
        assert_eq!(guard.fence(), 0);
        guard.release().await.expect("ours");
        plain(&runtime, id).await.expect("free");
    }
    let after = ["set", "eval", "evalsha", "delifeq", "delex"].map(|command| calls(&server, command));
    let [set, eval, by_hash] = [0, 1, 2].map(|at| after[at] - before[at]);
    let compared = after[3] + after[4];
    assert!(set == 20 && eval + by_hash + compared <= 21, "one command each, for the release: {after:?}");
    let version = server.raw().command(&["INFO", "server"]).text().expect("it says so").to_owned();
    assert_eq!(compared, if version.contains("valkey_version:9") { 20 } else { 0 }, "{after:?}");
    eventually("nothing is left", SOON, || {
        let keys = server.raw().command(&["KEYS", "*"]);
        !format!("{keys:?}").contains("unfenced")
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_that_sees_its_guard_has_a_fence_that_rises() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut last = 0;
    for _ in 0..5 {
        let fence = guarded(&runtime, 7).await.expect("free");
        assert!(fence > last, "{fence} after {last}");
        last = fence;
        runtime.lock("guarded:7").unfenced().acquire().await.expect("free").release().await.expect("ours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_hold_without_a_fence_gets_one() {
    let server = RedisServer::start();
    for runtime in [on(server.url()).await, Runtime::builder().embedded().build().await.expect("a runtime")] {
        let before = guarded(&runtime, 1).await.expect("free");
        let [inner, again] = joined_with_a_guard(&runtime, 1).await.expect("it joins");
        assert!(inner > before && inner == again, "{inner}, {again} after {before}");
    }
}

/// Found by the simulation: the fence of the hold that was joined was above those that the lease had yet.
#[tokio::test]
async fn who_joins_a_hold_without_a_fence_gets_none_that_is_above_those_of_later_turns() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let request = runtime.lock("joined");
    let guard = request.clone().acquire().await.expect("free");
    let mut waiting = Vec::new();
    // The first of them reserves fences for all.
    for is_fenced in [true, false, true] {
        let request = request.clone();
        waiting.push(tokio::spawn(async move {
            let outer = if is_fenced { request.clone() } else { request.clone().unfenced() };
            let guard = outer.acquire().await.expect("a turn");
            let fence = guard.run(async { request.acquire().await.expect("it joins").fence() }).await.expect("held");
            guard.release().await.expect("ours");
            fence
        }));
        tokio::task::yield_now().await;
    }
    let mut last = guard.fence();
    guard.release().await.expect("ours");
    for task in waiting {
        let fence = task.await.expect("no panic");
        assert!(fence > last, "{fence} after {last}");
        last = fence;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_without_a_fence_is_handed_over_at_once_and_in_order() {
    let server = RedisServer::start();
    let runtimes = [on(server.url()).await, on(server.url()).await, on(server.url()).await];
    let guard = runtimes[0].lock("order").unfenced().acquire().await.expect("free");
    let (order, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let mut waiting = Vec::new();
    for (number, runtime) in runtimes.iter().enumerate().skip(1) {
        let (request, order) = (runtime.lock("order").unfenced(), order.clone());
        waiting.push(tokio::spawn(async move {
            let guard = request.acquire().await.expect("a turn");
            order.send((number, Instant::now())).expect("the test listens");
            guard.release().await
        }));
        eventually("it is in the queue", SOON, || {
            let queue = server.raw().command(&["ZCARD", "{unfenced:order}:queue"]);
            queue == dlock_testkit::Value::Int(number as i64)
        });
    }
    // The mark is what the release looks at.
    assert!(server.raw().is_marked("unfenced:order"));
    let released = Instant::now();
    guard.release().await.expect("ours");
    for expected in [1, 2] {
        let (number, at) = arrived.recv().await.expect("a turn");
        assert_eq!(number, expected);
        assert!(at - released < Duration::from_millis(200), "that was a poll: {:?}", at - released);
    }
    for task in waiting {
        task.await.expect("no panic").expect("ours");
    }
    eventually("it is free", SOON, || !server.raw().exists("unfenced:order"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_command_that_was_carried_out_unheard_is_a_success() {
    let server = RedisServer::start();
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore] {
        let proxy = Proxy::start(&server);
        let runtime = on(proxy.url()).await;
        proxy.add(Rule::new(fault.clone()).matching("unheard").times(1));
        let guard = runtime.lock("unheard").unfenced().acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 1, "{fault:?}");
        guard.release().await.expect("still ours");
        assert!(runtime.shutdown(SOON).await);
        assert!(!server.raw().exists("unfenced:unheard"), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holders_with_and_without_a_fence_exclude_each_other() {
    let server = RedisServer::start();
    let (one, other) = (on(server.url()).await, on(server.url()).await);
    for (first, second) in [
        (one.lock("mixed"), other.lock("mixed").unfenced()),
        (one.lock("mixed").unfenced(), other.lock("mixed")),
        (one.lock("mixed").unfenced(), other.lock("mixed").unfenced()),
    ] {
        let guard = first.acquire().await.expect("free");
        let refused = second.clone().try_acquire().await.expect("an answer");
        assert!(refused.is_none());
        let holder = other.inspect("mixed").await.expect("an answer").expect("held");
        assert_eq!(holder.fence(), Some(guard.fence()).filter(|&fence| fence > 0));
        assert!(!holder.is_foreign() && holder.owner().contains("pid"), "{holder:?}");
        guard.release().await.expect("ours");
        second.acquire().await.expect("free").release().await.expect("ours");
    }
}
