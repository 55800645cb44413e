//! Who renews in time keeps its lock, whatever the failover.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_costs_the_quarantine_and_no_lock() {
    let mut pair = Pair::open();
    let build = || async { pair.builder(4 * SECOND).ttl(3 * SECOND).wait(SOON).build().await.expect("open") };
    let (first, second) = (build().await, build().await);
    let held = first.lock("held").acquire().await.expect("free");
    let waiting = tokio::spawn(second.lock("held").acquire());
    let mut raw = pair.master().raw();
    eventually("somebody waits", SOON, || raw.is_marked("held"));
    pair.until_copied();
    let old = pair.master;
    pair.promote();
    pair.servers[old].follow(pair.master());
    let moved = Instant::now();
    // It looks like any other failover.
    is_closed(&second, "new").await;
    held.renew().await.expect("the new master has it");
    assert!(!waiting.is_finished());
    held.release().await.expect("ours");
    let guard = waiting.await.expect("no panic").expect("it is its turn");
    assert!(moved.elapsed() > 3 * SECOND, "nothing is handed over before: {:?}", moved.elapsed());
    guard.release().await.expect("ours");

    // Back again: a life of the server that it had before is another one now.
    pair.until_copied();
    let held = second.lock("held").acquire().await.expect("free");
    let old = pair.master;
    pair.promote();
    pair.servers[old].follow(pair.master());
    is_closed(&first, "new").await;
    held.renew().await.expect("it is kept");
    held.release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_holders_keep_their_locks_over_three_failovers() {
    let mut pair = Pair::open();
    let build = || async { pair.builder(5 * SECOND).ttl(4 * SECOND).wait(SOON).build().await.expect("open") };
    let runtimes = [build().await, build().await];
    pair.lag();
    let mut held = Vec::new();
    for (key, runtime) in (0..100).zip(runtimes.iter().cycle()) {
        held.push(runtime.lock(format!("hundred:{key}")).acquire().await.expect("free"));
    }
    for round in 0..3 {
        if round > 0 {
            pair.lag();
        }
        pair.fail_over();
        let mut raw = pair.master().raw();
        eventually("all are there", SOON, || (0..100).all(|key| raw.exists(&format!("hundred:{key}"))));
        pair.heal();
    }
    for guard in held {
        guard.release().await.expect("it was kept all the time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_guard_the_lock_is_granted_at_once_and_its_holder_loses_it() {
    let mut pair = Pair::open();
    let build = || async { pair.builder(false).ttl(3 * SECOND).wait(SOON).build().await.expect("a server") };
    let (first, second) = (build().await, build().await);
    pair.lag();
    let held = first.lock("k").renew(2 * SECOND).acquire().await.expect("free");
    pair.fail_over();
    let other = second.lock("k").acquire().await.expect("the control: it is free there");
    assert!(held.is_held() && other.is_held(), "there are two holders");
    assert!(held.renew().await.expect_err("it is another's").is_lost());
    other.release().await.expect("ours");
}
