//! A lease that no task uses is kept for a while, if that is wished, for as long as nobody else wants it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use dlock_runtime::Runtime;
use dlock_testkit::{RedisServer, eventually};

use crate::{LONG, MS, SLACK, build, build_some, commands, hold, median, nothing_is_left, on, shared, until_free};

on_each_store! {
    async fn a_lease_that_lingers_is_given_up_as_soon_as_another_runtime_asks(builder: Builder) {
        let lingering = build(builder.clone().linger(LONG)).await;
        let other = build(builder).await;
        let mut waits = Vec::new();
        for _ in 0..5 {
            hold(&lingering, "k").await.release().await.expect("ours");
            assert!(lingering.is_locked("k").await.expect("asked"), "the negative control: it lingers");
            let began = Instant::now();
            let guard = hold(&other, "k").await;
            waits.push(began.elapsed());
            guard.release().await.expect("ours");
            until_free(&other, "k").await;
        }
        assert!(median(waits.clone()) < 150 * MS, "{waits:?}");
    }

    async fn a_lease_lingers_no_longer_than_it_may(builder: Builder) {
        let runtime = build(builder.linger(400 * MS)).await;
        let began = Instant::now();
        hold(&runtime, "k").await.release().await.expect("ours");
        assert!(runtime.is_locked("k").await.expect("asked") || began.elapsed() > 350 * MS, "it lingers");
        let released = Instant::now();
        until_free(&runtime, "k").await;
        assert!(released.elapsed() < 400 * MS + SLACK, "{:?}", released.elapsed());
        assert!(began.elapsed() > 300 * MS, "{:?}", began.elapsed());
    }

    // Found by the simulation: the keeper, which ends such a turn, forgot the lease.
    async fn a_lease_whose_turn_ran_into_its_max_hold_lingers_no_longer_than_it_may(builder: Builder) {
        let [runtime, other] = build_some(builder.linger(50 * MS).ttl(LONG)).await;
        let guard = runtime.lock("k").max_hold(100 * MS).acquire().await.expect("free");
        assert!(other.is_locked("k").await.expect("asked"), "the negative control: it is held");
        let began = Instant::now();
        until_free(&other, "k").await;
        assert!(began.elapsed() < 150 * MS + SLACK, "{:?}", began.elapsed());
        drop(guard);
    }

    async fn a_lease_that_lingers_is_given_back_by_a_shutdown(builder: Builder) {
        let [runtime, other] = build_some(builder.linger(LONG)).await;
        hold(&runtime, "k").await.release().await.expect("ours");
        assert!(other.is_locked("k").await.expect("asked"), "the negative control: it lingers");
        assert!(runtime.shutdown(LONG).await);
        assert!(!other.is_locked("k").await.expect("asked"));
    }

    async fn a_lease_that_lingers_is_given_back_when_its_runtime_is_dropped(builder: Builder) {
        let [runtime, other] = build_some(builder.linger(LONG)).await;
        hold(&runtime, "k").await.release().await.expect("ours");
        assert!(other.is_locked("k").await.expect("asked"), "the negative control: it lingers");
        drop(runtime);
        let dropped = Instant::now();
        until_free(&other, "k").await;
        assert!(dropped.elapsed() < SLACK, "{:?}", dropped.elapsed());
    }

    async fn a_lease_that_is_wanted_does_not_linger(builder: Builder) {
        let [runtime, other] = build_some(builder.linger(LONG)).await;
        let guard = hold(&runtime, "k").await;
        let waiting = crate::wait_for(&other, "k");
        crate::until_waiting(&runtime, "k", 1).await;
        let released = Instant::now();
        guard.release().await.expect("ours");
        let (_guard, at) = crate::got(waiting).await;
        assert!(at.saturating_duration_since(released) < SLACK);
    }

    async fn a_lease_that_lingers_serves_turns_with_terms_of_their_own(builder: Builder) {
        let runtime = build(builder.linger(LONG)).await;
        let first = runtime.lock("k").ttl(Duration::from_secs(2)).acquire().await.expect("free");
        let fence = first.fence();
        first.release().await.expect("ours");
        let second = hold(&runtime, "k").await;
        assert!(second.fence() > fence && second.remaining() > LONG / 2 - SLACK, "{second:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn further_acquisitions_of_a_lease_that_lingers_cost_no_commands() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let (lingering, plain) = (build(on(&server).linger(LONG)).await, build(on(&server)).await);
    for (runtime, key) in [(&lingering, "lingering"), (&plain, "plain")] {
        // The first turn takes the lease, the second reserves a block.
        for _ in 0..2 {
            hold(runtime, key).await.release().await.expect("ours");
        }
        let before = commands(&mut raw);
        let mut fence = 0;
        for _ in 0..100 {
            let guard = hold(runtime, key).await;
            assert!(guard.fence() > fence);
            fence = guard.fence();
            guard.release().await.expect("ours");
        }
        let spent = commands(&mut raw) - before;
        if key == "lingering" {
            // Once a second the lease is given back all the same.
            assert!(spent <= 6, "{spent} commands for 100 acquisitions");
        } else {
            assert!(spent >= 200, "the negative control: {spent} commands for 100 acquisitions");
        }
    }
    assert!(lingering.shutdown(LONG).await);
    nothing_is_left(&mut raw, "turns:lingering");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_lingers_no_longer_than_its_ttl() {
    let (mut raw, ttl) = (RedisServer::shared().raw(), 500 * MS);
    let runtime = build(shared().linger(LONG)).await;
    runtime.lock("idle").ttl(ttl).acquire().await.expect("free").release().await.expect("ours");
    // Nobody renews for nobody.
    eventually("it ends", ttl + SLACK, || !raw.exists("turns:idle"));
    let guard = hold(&runtime, "idle").await;
    assert!(guard.is_held() && raw.exists("turns:idle"), "and is not mistaken for a lease afterwards");
}

// On one thread: the other task runs when the loop lets it, and not else.
#[tokio::test]
async fn a_loop_over_a_lease_that_lingers_lets_other_tasks_run() {
    let runtime = build(Runtime::builder().embedded().namespace("loop").linger(LONG)).await;
    // Taken from the store once; from then on no turn has to wait for anything.
    hold(&runtime, "k").await.release().await.expect("ours");
    let steps = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&steps);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..2_000 {
        hold(&runtime, "k").await.release().await.expect("ours");
    }
    assert!(steps.load(Ordering::SeqCst) >= 5, "{steps:?} steps beside 2,000 turns");
    other.abort();
}
