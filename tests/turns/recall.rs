//! A runtime whose tasks keep a lock busy lets others in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dlock_runtime::Runtime;
use dlock_testkit::eventually_async;

use crate::{
    LONG, MS, SLACK, SOON, build, build_some,
    busy::{Busy, Log},
    got, hold, median, until_waiting, wait_for, waiting,
};

/// How long a task of another runtime waits for what a busy one has, several times.
async fn waits(busy: &Runtime, other: &Runtime, rounds: usize) -> Vec<Duration> {
    let log = Arc::new(Log::default());
    let tasks = Busy::start(busy, "k", 4, MS, &log);
    let mut waits = Vec::new();
    for _ in 0..rounds {
        let so_far = log.count();
        eventually_async("the others are busy", SOON, async || log.count() > so_far + 4).await;
        let (began, (guard, at)) = (Instant::now(), got(wait_for(other, "k")).await);
        log.enter(1, guard.fence());
        log.leave();
        waits.push(at - began);
        guard.release().await.expect("ours");
    }
    let so_far = log.count();
    eventually_async("the others go on", SOON, async || log.count() > so_far).await;
    tasks.stop().await;
    assert!(log.rises());
    waits
}

on_each_store! {
    async fn a_busy_runtime_lets_another_in_within_its_bound(builder: Builder) {
        let [busy, other] = build_some(builder.yield_after(u32::MAX, 20 * MS)).await;
        let waits = waits(&busy, &other, 9).await;
        // Without a recall it would take most of a second each time: then the lock goes free for a moment.
        assert!(median(waits.clone()) < 150 * MS, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait < SLACK), "{waits:?}");
    }

    async fn a_busy_runtime_lets_another_in_after_so_many_turns(builder: Builder) {
        let [busy, other] = build_some(builder.yield_after(5, LONG)).await;
        let waits = waits(&busy, &other, 9).await;
        assert!(median(waits.clone()) < 150 * MS, "{waits:?}");
    }

    async fn control_a_runtime_that_need_not_yield_keeps_others_waiting(builder: Builder) {
        let [busy, other] = build_some(builder.yield_after(u32::MAX, LONG)).await;
        let waits = waits(&busy, &other, 1).await;
        assert!(waits[0] > 300 * MS, "{waits:?}");
    }

    async fn a_bound_of_one_turn_makes_two_busy_runtimes_alternate(builder: Builder) {
        let [one, other, eye] = build_some(builder.yield_after(1, LONG)).await;
        let log = Arc::new(Log::default());
        const TURNS: usize = 64;
        let mut tasks = Vec::new();
        for task in 0..4 {
            let by = task % 2;
            let (runtime, eye, log) = ([&one, &other][by].clone(), eye.clone(), Arc::clone(&log));
            tasks.push(tokio::spawn(async move {
                while log.count() < TURNS {
                    let guard = hold(&runtime, "k").await;
                    log.enter(by, guard.fence());
                    // Until the other one stands in the queue, and word of it is here.
                    let ends = Instant::now() + SLACK;
                    while waiting(&eye, "k").await == 0 && log.count() < TURNS && Instant::now() < ends {
                        tokio::time::sleep(MS).await;
                    }
                    tokio::time::sleep(10 * MS).await;
                    log.leave();
                    guard.release().await.expect("ours");
                }
            }));
        }
        for task in tasks {
            got(task).await;
        }
        // In the beginning a message may be missed, as they may not listen yet.
        let order: Vec<_> = log.turns().iter().take(TURNS).skip(TURNS - 24).map(|turn| turn.by).collect();
        let twice = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
        // Word may come late on a loaded machine, now and then.
        assert!(twice <= 3, "{order:?}");
    }

    async fn after_a_long_turn_another_runtime_comes_before_the_tasks_of_the_same(builder: Builder) {
        let [one, other] = build_some(builder).await;
        let guard = hold(&one, "k").await;
        let neighbour = wait_for(&one, "k");
        until_waiting(&one, "k", 1).await;
        let stranger = wait_for(&other, "k");
        until_waiting(&one, "k", 2).await;
        // Word of it must have come, and the time that is left to the holder's own tasks must be over.
        tokio::time::sleep(400 * MS).await;
        guard.release().await.expect("ours");
        let (guard, _) = got(stranger).await;
        assert!(!neighbour.is_finished());
        guard.release().await.expect("ours");
        got(neighbour).await.0.release().await.expect("ours");
    }

    async fn a_bound_of_no_turns_yields_only_to_somebody(builder: Builder) {
        let runtime = build(builder.yield_after(0, Duration::ZERO)).await;
        let guard = hold(&runtime, "k").await;
        let holder = runtime.inspect("k").await.expect("asked").expect("held");
        let next = wait_for(&runtime, "k");
        until_waiting(&runtime, "k", 1).await;
        guard.release().await.expect("ours");
        let (_guard, _) = got(next).await;
        let same = runtime.inspect("k").await.expect("asked").expect("held");
        assert_eq!(holder.since(), same.since(), "nobody else wants it: the lease goes on");
    }
}
