//! What happens when things break: outcomes as promised, never a hang beyond `wait`, and never a wrong success.
//! Leases are short here, so each test sees several of them pass.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use dlock_runtime::{Guard, LockError, Runtime};
use dlock_testkit::{Fault, Proxy, Raw, RedisServer, Rule, Value, Worker, eventually, eventually_async, role, say};

const TTL: Duration = Duration::from_millis(500);
/// For leases that must be kept: a busy machine may not let a thread run for some hundred milliseconds.
const KEPT: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_millis(700);
/// For everything that a busy machine may do slowly; what is to be shown is always far longer or has no end.
const SLACK: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(5);

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().redis(url).namespace("faults").ttl(TTL).wait(WAIT);
    builder.command_timeout(Duration::from_millis(500)).build().await.expect("a runtime")
}

/// Has every script run once, here and by the keeper: a fault is to strike a lock, not a script's first loading.
async fn warm_up(runtime: &Runtime) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let key = format!("allowed:warm-up:{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let guard = runtime.lock(&key).ttl(SOON * 10).wait(SOON).acquire().await.expect("it is free");
    guard.renew().await.expect("ours");
    drop(guard);
    assert!(runtime.wait_until_free(&key, SOON).await.expect("an answer"));
    runtime.lock(&key).wait(SOON).acquire().await.expect("it is free").release().await.expect("ours");
}

/// A server, a proxy in front of it, a runtime through the proxy and a raw client around it.
async fn proxied() -> (RedisServer, Proxy, Runtime, Raw) {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let runtime = on(proxy.url()).await;
    warm_up(&runtime).await;
    let raw = server.raw();
    (server, proxy, runtime, raw)
}

/// Acquires, and checks that it took no longer than `wait` allows, whatever came of it.
async fn in_time(runtime: &Runtime, key: &str) -> Result<Guard, LockError> {
    let start = Instant::now();
    let result = runtime.lock(key).acquire().await;
    assert!(start.elapsed() < WAIT + SLACK, "acquire took {:?} with a wait of {WAIT:?}", start.elapsed());
    if let Ok(guard) = &result {
        assert!(guard.is_held(), "what was acquired is held");
    }
    result
}

fn error<T>(result: Result<T, LockError>) -> LockError {
    result.err().expect("this cannot succeed")
}

#[track_caller]
fn assert_unavailable(error: &LockError) {
    assert!(error.is_unavailable(), "{error:?}");
    assert!(std::error::Error::source(error).is_some(), "the cause is kept");
}

/// Runs `test` with each case, all at a time.
async fn each<C, F>(cases: impl IntoIterator<Item = C>, test: impl Fn(C) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let running: Vec<_> = cases.into_iter().map(|case| tokio::spawn(test(case))).collect();
    for case in running {
        case.await.expect("no case fails");
    }
}

/// A body that ends when `done` says so, and tells whether it did.
async fn until(done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

// ---- the holder itself is stuck ----

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
            let owner = raw.command(&["GET", &name]);
            while looking.load(Ordering::Acquire) {
                let same = owner != Value::Nil && raw.command(&["GET", &name]) == owner;
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
    let worker = Worker::spawn("worker_entry", role, &[("URL", &server.url())]);
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

// ---- the server is down, stopped, or loses things ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_unavailable_and_never_busy() {
    let mut server = RedisServer::start();
    let runtime = on(server.url()).await;
    server.kill();
    assert_unavailable(&error(in_time(&runtime, "down").await));
    let start = Instant::now();
    assert_unavailable(&error(runtime.lock("down").try_acquire().await));
    assert_unavailable(&error(runtime.is_locked("down").await));
    assert_unavailable(&error(runtime.inspect("down").await));
    assert_unavailable(&error(runtime.wait_until_free("down", WAIT).await));
    assert!(start.elapsed() < SOON * 2, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_ends_the_body_when_the_lease_is_over() {
    let mut server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = in_time(&runtime, "ends").await.expect("it is free");
    server.kill();
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL + SLACK, "{:?}", start.elapsed());
    // With nobody to tell, giving it back is not worth a hang.
    let start = Instant::now();
    let _ = guard.release().await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_serves_the_same_runtime_and_fences_rise() {
    let mut server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = in_time(&runtime, "restart").await.expect("it is free");
    let fence = guard.fence();
    server.kill();
    let waiting = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.lock("restart:waited").wait(SOON).acquire().await.map(drop) }
    });
    server.restart();
    waiting.await.expect("no panic").expect("it came back while we waited");
    // The restarted server knows nothing of the old hold: the holder must notice, or two would go on.
    let lost = tokio::time::timeout(TTL + SLACK, guard.run(std::future::pending::<()>())).await;
    assert!(error(lost.expect("it notices")).is_lost());
    let next = runtime.lock("restart").wait(SOON).acquire().await.expect("it is free");
    assert!(next.fence() > fence, "{} after {fence}", next.fence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_is_unavailable_within_wait_and_leaves_no_orphan() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    server.pause();
    assert_unavailable(&error(in_time(&runtime, "paused").await));
    let long = runtime.lock("paused:long").ttl(SOON * 10);
    assert_unavailable(&error(long.acquire().await));
    server.resume();
    // The requests are in its socket: they run now, and the keeper undoes them.
    let mut raw = server.raw();
    eventually("no orphan of the long lease", SOON, || !raw.exists("faults:paused:long"));
    assert!(runtime.shutdown(SOON).await);
    assert!(!raw.exists("faults:paused:long"), "nor later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_pause_of_the_server_loses_nothing() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let ttl = TTL * 5;
    let guard = runtime.lock("short-pause").ttl(ttl).acquire().await.expect("it is free");
    let done = AtomicBool::new(false);
    let pauses = async {
        for _ in 0..3 {
            server.pause();
            tokio::time::sleep(TTL / 2).await;
            server.resume();
            tokio::time::sleep(ttl / 2).await;
        }
        done.store(true, Ordering::Release);
    };
    let (result, ()) = tokio::join!(guard.run(until(&done)), pauses);
    result.expect("held throughout");
    guard.release().await.expect("still ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_beyond_the_lease_ends_the_body_before_anybody_else_gets_the_lock() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = in_time(&runtime, "long-pause").await.expect("it is free");
    server.pause();
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL + SLACK, "{:?}", start.elapsed());
    server.resume();
    drop(guard);
    let _free = runtime.lock("long-pause").wait(SOON).acquire().await.expect("it is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let mut flush = || assert!(raw.command(&["SCRIPT", "FLUSH", "SYNC"]).is_ok());
    flush();
    let guard = runtime.lock("flush").ttl(KEPT).acquire().await.expect("it is free");
    flush();
    guard.renew().await.expect("still ours");
    flush();
    assert!(runtime.is_locked("flush").await.expect("an answer"));
    flush();
    // The keeper renews through its own connection.
    let start = Instant::now();
    eventually("two leases have passed", SOON, || start.elapsed() > KEPT * 2);
    assert!(guard.is_held());
    flush();
    guard.release().await.expect("still ours");
    let dropped = runtime.lock("flush").ttl(SOON * 10).acquire().await.expect("it was given back");
    flush();
    drop(dropped);
    eventually("the keeper has released it", SOON, || !server.raw().exists("faults:flush"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_cost_no_lock() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let mut kill = || {
        for kind in ["normal", "pubsub"] {
            assert!(raw.command(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]).int().is_some());
        }
    };
    let ttl = KEPT * 2;
    let guard = runtime.lock("client-kill").ttl(ttl).acquire().await.expect("it is free");
    let done = AtomicBool::new(false);
    let kills = async {
        for round in 0..4 {
            kill();
            let other = in_time(&runtime, &format!("client-kill:{round}")).await.expect("connected again");
            kill();
            other.release().await.expect("still ours");
            tokio::time::sleep(ttl / 4).await;
        }
        done.store(true, Ordering::Release);
    };
    let (result, ()) = tokio::join!(guard.run(until(&done)), kills);
    result.expect("held throughout");
    kill();
    guard.release().await.expect("still ours");
    assert!(!server.raw().exists("faults:client-kill"));
}

// ---- the network loses, delays and cuts ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_that_was_carried_out_unheard_is_a_success_with_one_fence() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        proxy.add(Rule::new(fault.clone()).matching("unheard").times(1));
        // The lease outlasts the wait: only its own token lets the second question succeed.
        let guard = runtime.lock("unheard").ttl(SOON * 10).wait(SOON).acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 1);
        let record = raw.command(&["GET", "{faults:unheard}:fence"]);
        assert!(record.text().is_some_and(|text| text.starts_with(&guard.fence().to_string())), "{record:?}");
        guard.release().await.expect("still ours");
        assert!(!raw.exists("faults:unheard"), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_without_any_reply_is_unavailable_within_wait_and_undone() {
    for fault in [Fault::Swallow, Fault::CutAfter] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        proxy.add(Rule::new(fault.clone()).matching("no-reply"));
        let start = Instant::now();
        let lock = runtime.lock("no-reply").ttl(SOON * 10);
        assert_unavailable(&error(lock.acquire().await));
        assert!(start.elapsed() < WAIT + SLACK, "{:?}", start.elapsed());
        proxy.heal();
        proxy.close_all();
        eventually(&format!("{fault:?} is undone"), SOON, || !raw.exists("faults:no-reply"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_comes_after_the_lease_is_no_success() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let builder = Runtime::builder().redis(proxy.url()).namespace("faults").ttl(TTL).wait(SOON);
    let runtime = builder.command_timeout(SOON).build().await.expect("a runtime");
    warm_up(&runtime).await;
    proxy.add(Rule::new(Fault::Delay(TTL * 2)).matching("too-late").times(1));
    let sent = Instant::now();
    match runtime.lock("too-late").renew(false).acquire().await {
        // A later try may have succeeded; the late yes itself was worth nothing.
        Ok(guard) => {
            assert!(guard.is_held() && guard.remaining() <= TTL);
            assert!(server.raw().exists("faults:too-late"));
        }
        Err(err) => assert!(err.is_unavailable() || err.is_lost(), "{err:?}"),
    }
    assert!(sent.elapsed() < SOON + SLACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_a_reply_took_is_not_part_of_the_lease() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    let late = Duration::from_millis(150);
    proxy.add(Rule::new(Fault::Delay(late)).matching("slow").times(1));
    let guard = runtime.lock("slow").renew(false).acquire().await.expect("it is free");
    assert!(guard.remaining() <= TTL - late, "{:?}", guard.remaining());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_whose_reply_is_lost_is_a_release() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        let guard = runtime.lock("unheard").ttl(SOON * 10).renew(false).acquire().await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("unheard").times(1));
        guard.release().await.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 1);
        assert!(!raw.exists("faults:unheard"), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_guard_is_released_through_a_broken_network() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore, Fault::Refuse("LOADING wait".into())] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        let guard = runtime.lock("dropped").ttl(SOON * 10).renew(false).acquire().await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("dropped").times(2));
        drop(guard);
        eventually(&format!("{fault:?}: released"), SOON, || !raw.exists("faults:dropped"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_that_go_unheard_for_a_while_lose_nothing() {
    let faults = [Fault::Swallow, Fault::CutAfter, Fault::CutBefore, Fault::Refuse("LOADING wait".into())];
    each(faults, |fault| async move {
        let (_server, proxy, runtime, _raw) = proxied().await;
        // Two answers that never come cost a command timeout and a pause each.
        let ttl = KEPT * 4;
        let guard = runtime.lock("renewals").ttl(ttl).acquire().await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("renewals").times(2));
        guard.run(tokio::time::sleep(ttl + ttl / 4)).await.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 2, "{fault:?} did happen");
        guard.release().await.expect("still ours");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_that_are_never_heard_end_the_body_when_the_lease_is_over() {
    for fault in [Fault::Swallow, Fault::CutBefore, Fault::Hold, Fault::Refuse("LOADING wait".into())] {
        let (_server, proxy, runtime, _raw) = proxied().await;
        let guard = in_time(&runtime, "never").await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("never"));
        let start = Instant::now();
        let lost = error(guard.run(std::future::pending::<()>()).await);
        assert!(lost.is_lost(), "{fault:?}: {lost:?}");
        assert!(start.elapsed() < TTL + SLACK, "{fault:?}: {:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_cut_for_a_moment_is_bridged_within_wait() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    proxy.refuse();
    let acquiring = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.lock("bridged").wait(SOON).acquire().await.map(drop) }
    });
    tokio::time::sleep(TTL / 2).await;
    assert!(!acquiring.is_finished(), "it keeps trying within its wait");
    proxy.heal();
    acquiring.await.expect("no panic").expect("it is free");
}

// ---- what the server answers ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_pass_are_waited_for() {
    for code in ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"] {
        let (_server, proxy, runtime, _raw) = proxied().await;
        proxy.add(Rule::new(Fault::Refuse(format!("{code} for a moment"))).matching("passing").times(2));
        let guard = runtime.lock("passing").wait(SOON).acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{code}: {err}"));
        assert_eq!(proxy.struck(), 2);
        proxy.add(Rule::new(Fault::Refuse(format!("{code} for a moment"))).matching("passing").times(1));
        guard.release().await.unwrap_or_else(|err| panic!("{code}: {err}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_do_not_pass_are_unavailable_within_wait() {
    let codes =
        ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "OOM", "NOREPLICAS", "MISCONF"];
    each(codes, |code| async move {
        let server = RedisServer::shared();
        let proxy = Proxy::start(server);
        let runtime = on(proxy.url()).await;
        warm_up(&runtime).await;
        let key = format!("staying:{code}");
        proxy.add(Rule::new(Fault::Refuse(format!("{code} and so it stays"))).matching(&key));
        let refused = error(in_time(&runtime, &key).await);
        assert!(refused.is_unavailable(), "{code}: {refused:?}");
        // Where it goes on trying, the last try may run out of time.
        let at_once = ["OOM", "NOREPLICAS", "MISCONF"].contains(&code);
        let told = refused.to_string().contains("so it stays");
        assert!(told || !at_once, "{code}: the server's words are kept: {refused}");
        assert!(!server.raw().exists(&format!("faults:{key}")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_is_a_mistake_that_is_named_and_left_alone() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    raw.command(&["RPUSH", "faults:list", "not", "a", "lock"]);
    let start = Instant::now();
    let refused = error(runtime.lock("list").wait(SOON).acquire().await);
    assert!(matches!(refused, LockError::Config { .. }), "{refused:?}");
    assert!(refused.to_string().contains("list"), "{refused}");
    assert!(start.elapsed() < SLACK, "waiting would not help");
    assert_eq!(raw.command(&["LLEN", "faults:list"]), Value::Int(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_record_of_another_type_leaves_no_lock_behind() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    raw.command(&["RPUSH", "{faults:record}:fence", "not", "a", "fence"]);
    let lock = runtime.lock("record").ttl(SOON * 10).wait(WAIT);
    let refused = error(lock.acquire().await);
    assert!(matches!(refused, LockError::Config { .. }), "{refused:?}");
    eventually("nothing is left", SLACK, || !raw.exists("faults:record"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_overwritten_with_another_type_is_a_loss_and_is_left_alone() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let guard = in_time(&runtime, "overwritten").await.expect("it is free");
    raw.command(&["DEL", "faults:overwritten"]);
    raw.command(&["RPUSH", "faults:overwritten", "not", "a", "lock"]);
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL + SLACK);
    assert!(!guard.is_held());
    drop(guard);
    assert!(runtime.shutdown(SOON).await, "there is nothing to wait for");
    assert_eq!(raw.command(&["LLEN", "faults:overwritten"]), Value::Int(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_a_mistake_that_is_named() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let rules = ["ACL", "SETUSER", "limited", "on", ">hunter2", "~faults:allowed*", "~{faults:allowed*", "&*", "+@all"];
    assert!(raw.command(&rules).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
    in_time(&runtime, "allowed").await.expect("this one may").release().await.expect("ours");
    let start = Instant::now();
    let refused = error(runtime.lock("forbidden").wait(SOON).acquire().await);
    assert!(matches!(refused, LockError::Config { .. }), "{refused:?}");
    assert!(refused.to_string().contains("forbidden"), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"), "no password in an error");
    assert!(start.elapsed() < SLACK, "waiting would not help");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_taken_away_under_a_hold_is_a_loss_told_at_the_next_renewal() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    assert!(raw.command(&["ACL", "SETUSER", "limited", "on", ">hunter2", "~*", "&*", "+@all"]).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
    let guard = runtime.lock("taken").ttl(TTL * 5).acquire().await.expect("it is free");
    assert!(raw.command(&["ACL", "SETUSER", "limited", "resetkeys"]).is_ok());
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL * 5 + SLACK, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_forbidden_inside_the_scripts_leaves_no_lock_behind() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    for command in ["-set", "-time", "-get"] {
        let rules = ["ACL", "SETUSER", "limited", "reset", "on", ">hunter2", "~*", "&*", "+@all", command];
        assert!(raw.command(&rules).is_ok());
        let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
        let refused = error(runtime.lock("inner").ttl(SOON * 10).wait(WAIT).acquire().await);
        assert!(matches!(refused, LockError::Config { .. }), "{command}: {refused:?}");
        assert!(!raw.exists("faults:inner"), "{command}: a lock that nobody holds");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_new_locks_at_once_and_keeps_and_releases_old_ones() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let released = runtime.lock("full:released").ttl(KEPT).acquire().await.expect("it is free");
    let dropped = runtime.lock("full:dropped").ttl(SOON * 10).acquire().await.expect("it is free");
    assert!(raw.command(&["CONFIG", "SET", "maxmemory", "1mb"]).is_ok());
    if !raw.command(&["SET", "filler", "x"]).is_error("OOM") {
        assert!(raw.command(&["CONFIG", "SET", "maxmemory", "1"]).is_ok());
    }
    assert!(raw.command(&["SET", "filler", "x"]).is_error("OOM"), "it is full");
    let start = Instant::now();
    assert_unavailable(&error(runtime.lock("full:new").wait(SOON).acquire().await));
    assert!(start.elapsed() < SOON, "there is nothing to wait for");
    released.renew().await.expect("renewing needs no memory");
    // The keeper renews too.
    let start = Instant::now();
    eventually("two leases have passed", SOON, || start.elapsed() > KEPT * 2);
    assert!(released.is_held() && dropped.is_held());
    released.release().await.expect("releasing needs no memory");
    drop(dropped);
    eventually("both are free", SOON, || !raw.exists("faults:full:released") && !raw.exists("faults:full:dropped"));
    assert!(raw.command(&["CONFIG", "SET", "maxmemory", "0"]).is_ok());
    let _new = in_time(&runtime, "full:new").await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_key_is_a_loss_told_at_the_next_renewal() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = runtime.lock("deleted").ttl(TTL * 5).acquire().await.expect("it is free");
    server.raw().command(&["DEL", "faults:deleted"]);
    let start = Instant::now();
    let lost = error(guard.run(std::future::pending::<()>()).await);
    assert!(lost.is_lost());
    assert!(start.elapsed() < TTL * 5, "by a renewal, not by the end of the lease: {:?}", start.elapsed());
    assert_eq!(server.raw().command(&["GET", "faults:deleted"]), Value::Nil, "renewing does not bring it back");
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
