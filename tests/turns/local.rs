//! The tasks of one runtime take turns on one lease.

use std::time::Instant;

use dlock_testkit::RedisServer;

use crate::{
    MS, SOON, build, build_some, busy::take_turns, commands, got, hold, nothing_is_left, on, queue_up,
    tasks_are_served_in_order,
};

on_each_store! {
    async fn fences_rise_from_turn_to_turn_beyond_a_block(builder: Builder) {
        // More turns than fences are reserved at a time.
        let log = take_turns(&[build(builder).await], "k", 5, 10_000).await;
        assert!(log.count() >= 10_000);
        assert!(log.rises());
    }

    async fn fences_rise_from_runtime_to_runtime(builder: Builder) {
        let runtimes = build_some::<3>(builder.yield_after(20, MS)).await;
        let (began, mut changes) = (Instant::now(), 0);
        // They have to alternate, or this shows nothing.
        while changes < 10 {
            assert!(began.elapsed() < SOON, "{changes} changes");
            let log = take_turns(&runtimes, "k", 3, 500).await;
            assert!(log.rises());
            changes += log.turns().windows(2).filter(|pair| pair[0].by != pair[1].by).count();
        }
    }

    async fn tasks_are_served_in_the_order_in_which_they_came(builder: Builder) {
        tasks_are_served_in_order(&build(builder).await, 6).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_cost_far_fewer_commands_than_there_are_turns() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let (with, without) = (build(on(&server)).await, build(on(&server).turns(false)).await);
    for (runtime, turns) in [(&with, 4_000), (&without, 200)] {
        take_turns(std::slice::from_ref(runtime), "warm-up", 2, 6).await;
        let before = commands(&mut raw);
        let log = take_turns(std::slice::from_ref(runtime), "k", 8, turns).await;
        assert!(log.rises());
        let (spent, turns) = (commands(&mut raw) - before, log.count() as u64);
        if std::ptr::eq(runtime, &with) {
            // To take it, to reserve a block, to give it back; once a second all over again.
            assert!(spent < turns / 20, "{spent} commands for {turns} turns: {:?}", raw.command_stats());
        } else {
            assert!(spent >= 2 * turns, "the negative control: {spent} commands for {turns} turns");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_fences_is_at_most_twice_what_the_lease_or_the_last_one_used() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtime = build(on(&server)).await;
    let first = hold(&runtime, "k").await;
    let mut last = raw.last_fence("turns:k").expect("held");
    assert_eq!(last, first.fence(), "nobody else wants it, and no more than one fence is reserved");
    // More turns than the first blocks have fences.
    let tasks = queue_up(&runtime, "k", 500).await;
    first.release().await.expect("ours");
    let (mut used, mut blocks) = (0, Vec::new());
    for task in tasks {
        let (guard, _) = got(task).await;
        used += 1;
        let now = raw.last_fence("turns:k").expect("held");
        if now != last {
            let block = now - guard.fence() + 1;
            assert!(block <= 64.max(2 * used), "{block} fences after {used} turns");
            blocks.push(block);
            last = now;
        }
        guard.release().await.expect("ours");
    }
    assert!(blocks.len() > 1 && blocks.len() < 20, "the negative control: {blocks:?}");
    nothing_is_left(&mut raw, "turns:k");
}
