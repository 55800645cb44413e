//! Each turn has terms of its own, whatever the lease was taken with.

use std::time::{Duration, Instant};

use dlock_runtime::{Guard, LockRequest, LostReason, Runtime};
use dlock_testkit::{RedisServer, Worker, eventually, eventually_async};

use crate::{LONG, MS, SECOND, SLACK, SOON, assert_lost, build, got, hold, lasts, on, until_free, until_waiting};

/// A task that waits for its turn.
fn queue(request: LockRequest) -> tokio::task::JoinHandle<Guard> {
    tokio::spawn(async move { request.acquire().await.expect("a turn") })
}

/// A turn on a lease for which many fences are reserved: nothing but its time can make the next one renew it.
async fn first_of_many(runtime: &Runtime, request: impl Fn() -> LockRequest) -> Guard {
    let before = request().acquire().await.expect("free");
    let first = queue(request());
    until_waiting(runtime, "k", 1).await;
    before.release().await.expect("ours");
    got(first).await
}

on_each_store! {
    async fn a_renewed_turn_begins_with_at_least_half_of_its_ttl(builder: Builder) {
        let runtime = build(builder).await;
        let request = || runtime.lock("k").ttl(SECOND).renew(900 * MS);
        let first = first_of_many(&runtime, request).await;
        let second = queue(request());
        until_waiting(&runtime, "k", 1).await;
        // What is left of the lease is below the half, and above nothing. (A second after it was taken it would be
        // given back anyway.)
        eventually_async("some of it is used", SOON, async || first.remaining() < 400 * MS).await;
        first.release().await.expect("ours");
        let second = got(second).await;
        assert!(second.remaining() > 400 * MS, "{:?}", second.remaining());
        second.release().await.expect("ours");
    }

    async fn a_turn_on_a_lease_that_is_too_short_for_it_begins_with_half_of_its_ttl(builder: Builder) {
        let runtime = build(builder).await;
        let first = first_of_many(&runtime, || runtime.lock("k").ttl(SECOND)).await;
        let second = queue(runtime.lock("k").ttl(10 * SECOND));
        until_waiting(&runtime, "k", 1).await;
        first.release().await.expect("ours");
        let second = got(second).await;
        assert!(second.remaining() > 4 * SECOND, "{:?}", second.remaining());
        assert!(lasts(&runtime, "k").await > 4 * SECOND, "the store knows");
    }

    async fn a_turn_that_is_not_renewed_begins_with_all_of_its_ttl(builder: Builder) {
        let runtime = build(builder).await;
        let ttl = 2 * SECOND;
        let first = first_of_many(&runtime, || runtime.lock("k").ttl(ttl)).await;
        let second = queue(runtime.lock("k").ttl(ttl).renew(false));
        until_waiting(&runtime, "k", 1).await;
        eventually_async("some of it is used", SOON, async || first.remaining() < ttl - 200 * MS).await;
        // The margin of a lease: 1% and 2 ms.
        let whole = ttl - ttl / 100 - 2 * MS;
        let before = Instant::now();
        first.release().await.expect("ours");
        let second = got(second).await;
        // Whoever asks after `before` counts from later than that.
        let (left, gone) = (second.remaining(), before.elapsed());
        assert!(left + gone >= whole, "{left:?} left after {gone:?}");
        assert!(left <= whole, "{left:?}");
    }

    async fn a_lease_that_is_longer_than_its_turn_asked_for_is_shortened(builder: Builder) {
        let runtime = build(builder).await;
        let first = runtime.lock("k").ttl(10 * SECOND).acquire().await.expect("free");
        let second = queue(runtime.lock("k").ttl(SECOND));
        until_waiting(&runtime, "k", 1).await;
        let third = queue(runtime.lock("k").ttl(10 * SECOND));
        until_waiting(&runtime, "k", 2).await;
        assert!(lasts(&runtime, "k").await > 5 * SECOND, "the negative control");
        first.release().await.expect("ours");
        let second = got(second).await;
        let shortened = async || lasts(&runtime, "k").await <= SECOND;
        eventually_async("it is as long as its turn asked for", SECOND, shortened).await;
        assert!(second.remaining() <= SECOND);
        // And renewed as its turn wants it.
        let began = Instant::now();
        eventually_async("more than its ttl has passed", SOON, async || {
            second.ensure_held().expect("renewed");
            began.elapsed() > 1_300 * MS
        }).await;
        second.release().await.expect("ours");
        let third = got(third).await;
        assert!(third.remaining() > 4 * SECOND, "and prolonged again for who asks for more");
    }

    async fn max_hold_binds_the_turn_and_not_the_process(builder: Builder) {
        let runtime = build(builder).await;
        let stuck = runtime.lock("k").max_hold(300 * MS).acquire().await.expect("free");
        stuck_turns_let_others_go_on(&runtime, stuck, LostReason::MaxHold).await;
    }

    async fn a_ttl_without_renewal_binds_the_turn_and_not_the_process(builder: Builder) {
        let runtime = build(builder).await;
        let stuck = runtime.lock("k").ttl(300 * MS).renew(false).acquire().await.expect("free");
        stuck_turns_let_others_go_on(&runtime, stuck, LostReason::Expired).await;
    }

    async fn a_ttl_without_renewal_binds_a_turn_on_a_longer_lease(builder: Builder) {
        let runtime = build(builder).await;
        let first = hold(&runtime, "k").await;
        let stuck = queue(runtime.lock("k").ttl(300 * MS).renew(false));
        until_waiting(&runtime, "k", 1).await;
        first.release().await.expect("ours");
        let stuck = got(stuck).await;
        assert!(stuck.remaining() <= 300 * MS, "{:?}", stuck.remaining());
        stuck_turns_let_others_go_on(&runtime, stuck, LostReason::Expired).await;
    }

    async fn control_a_turn_without_bounds_keeps_the_others_waiting(builder: Builder) {
        let runtime = build(builder).await;
        let _stuck = hold(&runtime, "k").await;
        assert!(runtime.lock("k").wait(600 * MS).acquire().await.is_err_and(|error| error.is_busy()));
    }
}

/// Another task gets its turn though the guard of a turn that ends by itself is still there.
async fn stuck_turns_let_others_go_on(runtime: &Runtime, stuck: Guard, why: LostReason) {
    let began = Instant::now();
    let next = got(queue(runtime.lock("k"))).await;
    assert!(began.elapsed() < 300 * MS + SLACK, "{:?} of {LONG:?}", began.elapsed());
    assert!(next.fence() > stuck.fence());
    assert!(!stuck.is_held() && stuck.remaining() == Duration::ZERO);
    assert_lost(stuck.ensure_held(), why);
    assert_lost(stuck.release().await, why);
    next.ensure_held().expect("the late release does no harm");
    assert!(runtime.is_locked("k").await.expect("asked"));
    let last = queue(runtime.lock("k"));
    until_waiting(runtime, "k", 1).await;
    assert!(!last.is_finished(), "nor does it let anybody in");
    next.release().await.expect("ours");
    got(last).await.release().await.expect("ours");
    until_free(runtime, "k").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_a_key_is_free_within_the_ttl_of_the_turn_and_not_of_the_lease() {
    let server = RedisServer::shared();
    let (mut raw, lock) = (server.raw(), "turns:crash");
    let mut worker = Worker::spawn("worker_entry", "short-turn", &[("URL", &server.url()), ("KEY", "crash")]);
    worker.expect("first", SOON);
    let taken = raw.token(lock);
    assert!(raw.command(&["PTTL", lock]).int() > Some(5_000), "the negative control: it was taken for longer");
    worker.expect("second", SOON);
    eventually("the lease is shortened", SECOND, || raw.command(&["PTTL", lock]).int() <= Some(1_000));
    assert_eq!(raw.token(lock), taken, "it is the same lease");
    worker.kill();
    let began = Instant::now();
    let runtime = build(on(server)).await;
    hold(&runtime, "crash").await.release().await.expect("ours");
    assert!(began.elapsed() < SECOND + SLACK, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_gone_from_the_store_serves_nobody_else() {
    let (mut raw, runtime) = (RedisServer::shared().raw(), build(on(RedisServer::shared())).await);
    let first = runtime.lock("gone").ttl(SECOND).acquire().await.expect("free");
    let second = queue(runtime.lock("gone").ttl(SECOND));
    until_waiting(&runtime, "gone", 1).await;
    assert_eq!(raw.command(&["DEL", "turns:gone"]).int(), Some(1));
    eventually_async("the next renewal tells", SOON, async || !first.is_held()).await;
    let second = got(second).await;
    assert!(raw.exists("turns:gone"), "it has a lease of its own");
    assert_lost(first.release().await, LostReason::Gone);
    second.release().await.expect("ours");
    until_free(&runtime, "gone").await;
}
