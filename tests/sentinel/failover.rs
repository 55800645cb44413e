//! What becomes of locks, waiters and connections when another server takes the place of the master.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dlock_runtime::Builder;
use dlock_testkit::{Proxy, Raw, RedisServer, Sentinels, Value, eventually, eventually_async, log};

use crate::{
    LONG, MS, SECOND, SLACK, SOON, at, build, connections, is_direct, on, text, until_copied, until_waiting, wait_for,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_keeps_locks_and_moves_everything_to_the_new_master() {
    log::listen();
    let group = Sentinels::start_with(LONG, &[]);
    let [holder, waiter] = [on(&group).client_name("checkout"), on(&group).client_name("checkout")].map(Builder::build);
    let (holder, waiter) = (holder.await.expect("a runtime"), waiter.await.expect("a runtime"));
    let held = holder.lock("held").ttl(8 * SECOND).acquire().await.expect("free");
    let waiting = wait_for(&waiter, "held");
    until_waiting(&holder, "held", 1).await;
    until_copied(&group);
    let old = &group.servers[group.master_at()];
    group.fail_over();
    let moved = Instant::now();
    let (mut at_old, mut at_new) = (old.raw(), group.master().raw());
    // It does not know yet that it was replaced, and nobody tells its clients but the sentinels.
    let role = at_old.command(&["ROLE"]);
    assert!(matches!(&role, Value::List(words) if words[0].text() == Some("master")), "{role:?}");
    eventually("nobody of us is at the old master", SOON, || connections(&mut at_old) == 0);
    let guard = holder.lock("new").acquire().await.expect("free");
    assert!(moved.elapsed() < SECOND, "{:?}", moved.elapsed());
    assert!(at_new.exists("sentinel:new") && !at_old.exists("sentinel:new"));
    guard.release().await.expect("ours");
    held.renew().await.expect("it was copied, so it is ours yet");
    assert!(!waiting.is_finished());
    held.release().await.expect("ours");
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is its turn").expect("no panic");
    guard.release().await.expect("ours");
    eventually("both listen at the new master", 3 * SECOND, || {
        at_new.clients().iter().filter(|client| client["sub"] == "2").count() == 2
    });
    is_direct(&holder, &waiter, "times").await;
    let said = log::said("the lock store is at another server now");
    let port = format!("store=127.0.0.1:{} (master `mymaster`)", group.master().port());
    assert!(said.iter().any(|(_, line)| line.contains(&port)), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_costs_the_time_of_the_sentinels_and_no_lock() {
    log::listen();
    let mut group = Sentinels::start();
    let [holder, waiter] = [build(&group).await, build(&group).await];
    let held = holder.lock("held").ttl(30 * SECOND).acquire().await.expect("free");
    let waiting = wait_for(&waiter, "held");
    until_waiting(&holder, "held", 1).await;
    until_copied(&group);
    let old = group.master_at();
    let port = group.servers[old].port();
    group.servers[old].kill();
    // Nobody waits for longer than is said, with an error that says what is wrong and where.
    for round in 0..4 {
        let wait = 100 * MS * round;
        let began = Instant::now();
        let error = holder.lock(format!("{round}")).wait(wait).acquire().await.expect_err("nobody is there");
        assert!(error.is_unavailable(), "{error:?}");
        // One question is asked even without any time.
        assert!(began.elapsed() < wait.max(500 * MS) + SLACK, "{wait:?}: {:?}", began.elapsed());
        assert!(text(&error).contains(&format!("127.0.0.1:{port} (master `mymaster`)")), "{}", text(&error));
    }
    let patient = holder.lock("patient").acquire();
    group.until_replaced(old);
    let found = Instant::now();
    patient.await.expect("there is a master").release().await.expect("ours");
    assert!(found.elapsed() < SECOND, "{:?}", found.elapsed());
    held.renew().await.expect("it was copied, so it is ours yet");
    assert!(!waiting.is_finished());
    held.release().await.expect("ours");
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is its turn").expect("no panic");
    guard.release().await.expect("ours");
    let mut at_new = group.master().raw();
    eventually("both listen at the new master", 3 * SECOND, || {
        at_new.clients().iter().filter(|client| client["sub"] == "2").count() == 2
    });
    is_direct(&holder, &waiter, "times").await;
    let outage = log::warnings(&format!("store=127.0.0.1:{port} (master `mymaster`)"));
    assert!(outage.iter().any(|line| line.contains("cannot be asked")), "{outage:?}");

    // It comes back, and is made a replica.
    group.servers[old].restart();
    group.until_ready();
    is_direct(&holder, &waiter, "times").await;
}

/// What SAFETY.md does not promise: there are two holders here, until the first one renews its lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_no_replica_has_is_lost_at_its_next_renewal_and_has_the_lower_fence() {
    let mut group = Sentinels::start();
    let [first, second] = [build(&group).await, build(&group).await];
    until_copied(&group);
    group.lag();
    let held = first.lock("k").acquire().await.expect("free");
    group.lose_master();
    let other = second.lock("k").acquire().await.expect("free at the new master");
    assert!(held.is_held() && other.fence() > held.fence(), "{} {}", held.fence(), other.fence());
    let error = held.renew().await.expect_err("the new master never had it");
    assert!(error.is_lost() && !held.is_held(), "{error:?}");
    other.ensure_held().expect("ours");
    other.release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_master_that_comes_back_grants_nothing() {
    let group = Sentinels::start();
    // What is under way or connects at the old master would wait there for this long.
    let runtime = on(&group).client_name("checkout").command_timeout(SOON).build().await.expect("a runtime");
    runtime.lock("before").acquire().await.expect("free").release().await.expect("ours");
    // A connection in another tokio runtime, which is not used in between.
    let idle = std::thread::spawn({
        let request = runtime.lock("idle");
        move || {
            let executor = tokio::runtime::Runtime::new().expect("an executor");
            executor.block_on(async { request.acquire().await.expect("free").release().await.expect("ours") });
            executor
        }
    });
    let idle = idle.join().expect("no panic");
    until_copied(&group);
    let old = group.master_at();
    group.servers[old].pause();
    // A request that has no answer yet when the master is replaced.
    let under_way = tokio::spawn(runtime.lock("under-way").acquire());
    // And one that has no connection.
    let connects = std::thread::spawn({
        let request = runtime.lock("connects");
        move || {
            let executor = tokio::runtime::Runtime::new().expect("an executor");
            executor.block_on(async { request.acquire().await.expect("a master").release().await.expect("ours") });
        }
    });
    group.until_replaced(old);
    let new = group.master().raw();
    let guard = tokio::time::timeout(2 * SECOND, under_way).await.expect("soon").expect("no panic").expect("a master");
    eventually("who connected goes elsewhere", 2 * SECOND, || connects.is_finished());
    connects.join().expect("no panic");
    group.servers[old].resume();
    let (mut at_old, mut at_new) = (group.servers[old].raw(), new);
    let role = at_old.command(&["ROLE"]);
    assert!(matches!(&role, Value::List(words) if words[0].text() == Some("master")), "the control: {role:?}");
    assert!(at_new.exists("sentinel:under-way"));
    guard.ensure_held().expect("by the new master");
    let (held, executor) = std::thread::spawn({
        let request = runtime.lock("idle");
        move || (idle.block_on(request.acquire()), idle)
    })
    .join()
    .expect("no panic");
    let held = held.expect("free");
    assert!(at_new.exists("sentinel:idle") && !at_old.exists("sentinel:idle"));
    held.release().await.expect("ours");
    guard.release().await.expect("ours");
    eventually("nobody of us is at the old master", SOON, || connections(&mut at_old) == 0);
    std::thread::spawn(move || drop(executor)).join().expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_missed_a_failover_misleads_nobody() {
    let group = Sentinels::start_with(LONG, &[]);
    let runtime = build(&group).await;
    until_copied(&group);
    let old = group.master_at();
    group.sentinels[2].pause();
    let mut leader = group.sentinels[0].raw();
    assert!(leader.command(&["SENTINEL", "FAILOVER", "mymaster"]).is_ok());
    let port = group.servers[old].port().to_string();
    let names = |raw: &mut Raw| {
        let Value::List(words) = raw.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]) else { return None };
        words[1].text().map(str::to_owned)
    };
    eventually("there is a new master", SOON, || names(&mut leader).is_some_and(|named| named != port));
    group.sentinels[2].resume();
    let fresh = build(&group).await;
    let mut at_old = group.servers[old].raw();
    for runtime in [&fresh, &runtime] {
        // Each learns of it by one answer or message. For ten seconds the old master would take locks.
        let began = Instant::now();
        eventually_async("it is at the new master", SOON, async || {
            let guard = runtime.lock("k").acquire().await.expect("a master");
            let is_at_old = at_old.exists("sentinel:k");
            _ = guard.release().await;
            !is_at_old
        })
        .await;
        assert!(began.elapsed() < 2 * SECOND, "{:?}", began.elapsed());
        let role = at_old.command(&["ROLE"]);
        assert!(matches!(&role, Value::List(words) if words[0].text() == Some("master")), "the control: {role:?}");
    }
}

/// No sentinel tells of it, as somebody does it by hand, and no connection is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_demoted_is_left_at_its_first_refusal_and_by_an_idle_listener() {
    let old = RedisServer::start();
    let new = RedisServer::start_replica_of(&old);
    let watches = |server: &RedisServer| {
        RedisServer::start_sentinel(&format!("sentinel monitor mymaster 127.0.0.1 {} 1\n", server.port()))
    };
    let sentinel = watches(&old);
    let proxy = Proxy::start(&sentinel);
    let runtime = at("mymaster", vec![proxy.url()]).client_name("checkout").build().await.expect("a runtime");
    let held = runtime.lock("held").acquire().await.expect("free");
    let (mut at_old, mut at_new) = (old.raw(), new.raw());
    eventually("it is copied", SOON, || at_new.exists("sentinel:held"));
    // Until it is killed it would make the old master one again.
    sentinel.pause();
    new.promote();
    old.follow(&new);
    assert!(connections(&mut at_old) > 0, "the control: they are open");
    let next = watches(&new);
    proxy.redirect(&next);
    // The listener may have found out before, and be asking the sentinel that does not answer.
    eventually_async("the new master has it", SOON, async || held.renew().await.is_ok()).await;
    let time = eventually("nobody of us is at the old master", SOON, || connections(&mut at_old) == 0);
    assert!(time < Duration::from_secs(8), "{time:?}");
    eventually("it listens at the new one", SOON, || at_new.clients().iter().any(|client| client["sub"] == "2"));
    held.release().await.expect("ours");
    sentinel.resume();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_of_several_runtimes_work_on_after_each_failover() {
    let group = Sentinels::start_with(LONG, &[]);
    let runtimes = [build(&group).await, build(&group).await, build(&group).await];
    let (turns, stop) = <(Arc<AtomicU32>, Arc<AtomicBool>)>::default();
    let mut tasks = Vec::new();
    for runtime in runtimes.iter().cycle().take(12) {
        let (runtime, turns, stop) = (runtime.clone(), turns.clone(), stop.clone());
        tasks.push(tokio::spawn(async move {
            let mut unavailable = 0;
            while !stop.load(Ordering::Relaxed) {
                match runtime.lock("one").ttl(2 * SECOND).wait(5 * SECOND).acquire().await {
                    Ok(guard) => {
                        tokio::time::sleep(MS).await;
                        // It may be lost, if the new master never had it.
                        turns.fetch_add(u32::from(guard.release().await.is_ok()), Ordering::Relaxed);
                    }
                    Err(error) if error.is_unavailable() => unavailable += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            unavailable
        }));
    }
    for _ in 0..2 {
        let before = turns.load(Ordering::Relaxed);
        eventually("they work", SOON, || turns.load(Ordering::Relaxed) > before + 50);
        group.fail_over();
        let now = turns.load(Ordering::Relaxed);
        // A lock that the new master has and its holder gave back to the old one goes with its TTL.
        let time = eventually("they work again", SOON, || turns.load(Ordering::Relaxed) > now + 20);
        assert!(time < 4 * SECOND, "{time:?}");
        group.until_ready();
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), 0, "each got the lock within its patience");
    }
}
