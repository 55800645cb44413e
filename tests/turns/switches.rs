//! Without turns, and without waiting for the confirmation of a release.

use std::time::Instant;

use dlock_testkit::{Fault, Proxy, RedisServer, Rule, eventually};

use crate::{
    MS, SLACK, build, build_some, busy::take_turns, commands, got, hand_over_times, hold, median, nothing_is_left, on,
    queue_entries, queue_up, shared, tasks_are_served_in_order, until_free, until_waiting, wait_for,
};

on_each_store! {
    async fn without_turns_tasks_are_still_served_in_order(builder: Builder) {
        tasks_are_served_in_order(&build(builder.turns(false)).await, 5).await;
    }

    async fn without_turns_a_lock_is_handed_over_between_runtimes(builder: Builder) {
        let [one, other] = build_some(builder.turns(false)).await;
        let times = hand_over_times(&one, &other).await;
        assert!(median(times.clone()) < 40 * MS, "{times:?}");
    }

    async fn without_turns_several_runtimes_exclude_each_other(builder: Builder) {
        let log = take_turns(&build_some::<3>(builder.turns(false)).await, "k", 3, 135).await;
        assert!(log.rises());
    }

    async fn a_release_that_is_not_confirmed_is_in_order_with_the_next_acquire(builder: Builder) {
        let runtime = build(builder.confirm_release(false)).await;
        let (mut fence, mut times) = (0, Vec::new());
        for round in 0..60 {
            let began = Instant::now();
            let guard = hold(&runtime, "k").await;
            times.push(began.elapsed());
            assert!(guard.fence() > fence);
            fence = guard.fence();
            if round % 2 == 0 { guard.release().await.expect("ours") } else { drop(guard) }
        }
        // No acquire had to wait for the release before it by polling.
        assert!(median(times.clone()) < 40 * MS, "{times:?}");
        until_free(&runtime, "k").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_turns_every_call_has_a_lease_of_its_own() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtime = build(on(&server).turns(false)).await;
    take_turns(std::slice::from_ref(&runtime), "warm-up", 2, 4).await;
    let before = commands(&mut raw);
    let first = hold(&runtime, "k").await;
    let tasks = [(); 10].map(|()| {
        let (runtime, mut raw) = (runtime.clone(), server.raw());
        tokio::spawn(async move {
            let guard = hold(&runtime, "k").await;
            let token = raw.token("turns:k");
            guard.release().await.expect("ours");
            token.expect("it is held")
        })
    });
    first.release().await.expect("ours");
    let mut tokens = std::collections::HashSet::new();
    for task in tasks {
        tokens.insert(got(task).await);
    }
    assert_eq!(tokens.len(), 10);
    // An acquire and a release each, and one more for whoever is told that the lock goes free, once a second.
    let commands = commands(&mut raw) - before;
    assert!((22..=25).contains(&commands), "{commands}");
    nothing_is_left(&mut raw, "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_turns_no_fences_are_reserved() {
    let mut raw = RedisServer::shared().raw();
    let runtime = build(shared().turns(false)).await;
    let first = hold(&runtime, "reserve").await;
    let tasks = queue_up(&runtime, "reserve", 3).await;
    first.release().await.expect("ours");
    for task in tasks {
        let (guard, _) = got(task).await;
        assert_eq!(raw.last_fence("turns:reserve"), Some(guard.fence()));
        guard.release().await.expect("ours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_not_confirmed_does_not_wait_for_the_store() {
    let proxy = Proxy::start(RedisServer::shared());
    let mut raw = RedisServer::shared().raw();
    for (confirms, key) in [(false, "unconfirmed"), (true, "confirmed")] {
        let runtime = build(shared().redis(proxy.url()).confirm_release(confirms)).await;
        // Scripts are loaded here, so that the fault strikes the release alone.
        hold(&runtime, "warm-up").await.release().await.expect("ours");
        until_free(&runtime, "warm-up").await;
        let lock = format!("turns:{key}");
        let guard = hold(&runtime, key).await;
        proxy.add(Rule::new(Fault::Hold).matching(key));
        let releasing = tokio::time::timeout(100 * MS, guard.release()).await;
        if confirms {
            assert!(releasing.is_err(), "the negative control: the store has not answered");
        } else {
            releasing.expect("at once").expect("ours");
        }
        assert!(raw.exists(&lock), "it is under way");
        proxy.heal();
        eventually("it is given back", SLACK, || !raw.exists(&lock));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_not_confirmed_costs_no_more_commands() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtime = build(on(&server).confirm_release(false)).await;
    hold(&runtime, "k").await.release().await.expect("ours");
    eventually("the first is given back", SLACK, || !raw.exists("turns:k"));
    let before = commands(&mut raw);
    for _ in 0..50 {
        hold(&runtime, "k").await.release().await.expect("ours");
    }
    eventually("the last is given back", SLACK, || !raw.exists("turns:k"));
    let spent = commands(&mut raw) - before;
    // Where an answer takes long the keeper asks once more. If it always did, there would be 150.
    assert!((100..140).contains(&spent), "{spent} commands for 50 acquisitions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_that_is_not_confirmed_hands_over() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:unconfirmed:handed");
    let [one, other] = build_some(shared().confirm_release(false)).await;
    let guard = hold(&one, "unconfirmed:handed").await;
    let waiting = wait_for(&other, "unconfirmed:handed");
    until_waiting(&one, "unconfirmed:handed", 1).await;
    let released = Instant::now();
    guard.release().await.expect("ours");
    let (guard, at) = got(waiting).await;
    assert!(at.saturating_duration_since(released) < SLACK);
    assert_eq!(queue_entries(&mut raw, lock), [0, 0]);
    drop(guard);
    nothing_is_left(&mut raw, lock);
}
