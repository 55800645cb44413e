//! A lock that is given back goes to the runtime that waits for it, directly.

#[allow(dead_code, reason = "not all of them are needed")]
#[path = "../../dlock-runtime/src/store/redis/scripts/mod.rs"]
mod scripts;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dlock_testkit::{Raw, RedisServer, eventually};

use crate::{
    MS, SOON, build, build_some,
    busy::{Busy, Log, take_turns},
    commands, got, hand_over_times, hold, median, nothing_is_left, on, queue_entries, queue_up, shared,
    until_they_listen, until_waiting, wait_for,
};

on_each_store! {
    async fn what_one_runtime_gives_back_another_has(builder: Builder) {
        let [one, other] = build_some(builder).await;
        let mut guard = hold(&one, "k").await;
        for round in 0..20 {
            let (holder, waiter) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
            let waiting = wait_for(waiter, "k");
            until_waiting(holder, "k", 1).await;
            let fence = guard.fence();
            guard.release().await.expect("ours");
            guard = got(waiting).await.0;
            assert!(guard.is_held() && guard.fence() > fence);
            assert!(holder.lock("k").try_acquire().await.expect("asked").is_none(), "it is the other's now");
        }
    }

    async fn who_waits_behind_a_task_that_does_not_is_in_the_queue(builder: Builder) {
        let [holder, runtime] = build_some(builder).await;
        let guard = hold(&holder, "k").await;
        // In one task, so that they come one right after the other.
        let both = tokio::spawn(async move {
            tokio::join!(runtime.lock("k").wait(Duration::ZERO).acquire(), runtime.lock("k").acquire())
        });
        until_waiting(&holder, "k", 1).await;
        guard.release().await.expect("ours");
        let (impatient, patient) = got(both).await;
        assert!(impatient.is_err_and(|error| error.is_busy()));
        patient.expect("handed over").release().await.expect("ours");
    }

    async fn runtimes_are_served_in_the_order_in_which_they_came(builder: Builder) {
        let [holder, runtimes @ ..] = build_some::<6>(builder).await;
        let guard = hold(&holder, "k").await;
        let log = Arc::new(Log::default());
        let mut tasks = Vec::new();
        for (by, runtime) in runtimes.iter().enumerate() {
            let (runtime, log) = (runtime.clone(), Arc::clone(&log));
            tasks.push(tokio::spawn(async move {
                let guard = hold(&runtime, "k").await;
                log.enter(by, guard.fence());
                log.leave();
                guard.release().await.expect("ours");
            }));
            until_waiting(&holder, "k", by as u64 + 1).await;
        }
        // Longer than the time after which each of them asks again: that keeps their places.
        tokio::time::sleep(300 * MS).await;
        guard.release().await.expect("ours");
        for task in tasks {
            got(task).await;
        }
        let order: Vec<_> = log.turns().iter().map(|turn| turn.by).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    async fn a_hand_over_does_not_wait_for_a_poll(builder: Builder) {
        let [one, other] = build_some(builder).await;
        let times = hand_over_times(&one, &other).await;
        // Nine polls would take 125 ms each on the average.
        assert!(median(times.clone()) < 40 * MS, "{times:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_somebody_waits_for_is_never_free_in_between() {
    for _ in 0..10 {
        is_handed_over("in-between", Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_of_more_than_a_second_is_handed_over_directly() {
    for _ in 0..3 {
        is_handed_over("long", 1_100 * MS).await;
    }
}

/// Takes a lock that is free, and looks at it right after the release to who waits.
async fn is_handed_over(key: &'static str, holds: Duration) {
    let (mut raw, lock) = (RedisServer::shared().raw(), format!("turns:{key}"));
    let [one, other] = build_some(shared()).await;
    let guard = hold(&one, key).await;
    let began = Instant::now();
    let ours = raw.token(&lock);
    let waiting = wait_for(&other, key);
    until_waiting(&one, key, 1).await;
    until_they_listen(&mut raw, &lock);
    eventually("it was held for so long", SOON, || began.elapsed() >= holds);
    guard.release().await.expect("ours");
    let theirs = raw.token(&lock);
    let (guard, _) = got(waiting).await;
    assert!(theirs.is_some() && theirs != ours, "{ours:?}, then {theirs:?}");
    assert_eq!(raw.token(&lock), theirs, "the one who got it is the one to whom it was handed");
    guard.release().await.expect("ours");
    nothing_is_left(&mut raw, &lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_of_more_than_a_second_is_passed_on_directly() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:long-turn");
    let runtime = build(shared()).await;
    for _ in 0..3 {
        let guard = hold(&runtime, "long-turn").await;
        let began = Instant::now();
        let ours = raw.token(lock);
        let waiting = wait_for(&runtime, "long-turn");
        until_waiting(&runtime, "long-turn", 1).await;
        eventually("it was held for so long", SOON, || began.elapsed() >= 1_100 * MS);
        guard.release().await.expect("ours");
        let (guard, _) = got(waiting).await;
        assert_eq!(raw.token(lock), ours, "the lease stays");
        guard.release().await.expect("ours");
        nothing_is_left(&mut raw, lock);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_client_gets_in_between_holds_of_more_than_a_second() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:long-holds");
    let log = Arc::new(Log::default());
    let tasks = build_some::<2>(shared()).await.map(|runtime| Busy::start(&runtime, "long-holds", 1, 1_100 * MS, &log));
    let polling = tokio::task::spawn_blocking(move || {
        eventually("they are busy", SOON, || raw.exists(lock));
        // It is free for a millisecond, after every second hold.
        eventually("the foreign client gets in", 2 * SOON, || {
            (0..200).any(|_| raw.command(&["SET", lock, "foreign", "NX", "PX", "30000"]).is_ok())
        });
        assert_eq!(raw.command(&["DEL", lock]).int(), Some(1), "nobody touched it");
    });
    polling.await.expect("it gets in");
    for tasks in tasks {
        tasks.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steady_contention_costs_two_commands_an_acquisition() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtimes = build_some::<4>(on(&server)).await;
    take_turns(&runtimes, "warm-up", 1, 12).await;
    for count in [2, 4] {
        let (before, began) = (commands(&mut raw), Instant::now());
        let log = take_turns(&runtimes[..count], "k", 1, 300).await;
        let (spent, turns) = (commands(&mut raw) - before, log.count() as u64);
        assert!(log.rises());
        // Once a second, and when a machine is too slow for a quarter of a second, somebody asks once more.
        let polls = began.elapsed().as_millis() as u64 / 250 * count as u64;
        assert!(spent <= turns * 2 + turns / 10 + polls, "{count} runtimes: {spent} commands for {turns} acquisitions");
        assert!(spent > turns, "the negative control: commands are counted, {spent} for {turns} acquisitions");
    }
    nothing_is_left(&mut raw, "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_do_not_grow_with_the_number_of_those_who_wait() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtimes = build_some::<12>(on(&server)).await;
    take_turns(&runtimes, "warm-up", 1, 30).await;
    let (before, began) = (commands(&mut raw), Instant::now());
    let log = take_turns(&runtimes, "k", 1, 300).await;
    let (spent, turns) = (commands(&mut raw) - before, log.count() as u64);
    // On a machine that is too busy to serve all of them within a quarter of a second, each asks again that often.
    let polls = began.elapsed().as_millis() as u64 / 250 * 12;
    assert!(spent <= turns * 2 + turns / 5 + polls, "{spent} commands for {turns} acquisitions and {polls} polls");
    nothing_is_left(&mut raw, "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_is_one_waiter_however_many_of_its_tasks_wait() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:one-entry");
    let [holder, other] = build_some(shared()).await;
    let guard = hold(&holder, "one-entry").await;
    // The head has an entry in the store, where it counts as one; the others wait at home.
    let tasks = queue_up(&other, "one-entry", 20).await;
    assert_eq!(queue_entries(&mut raw, lock), [1, 1]);
    guard.release().await.expect("ours");
    for task in tasks {
        got(task).await.0.release().await.expect("ours");
    }
    nothing_is_left(&mut raw, lock);
}

#[test]
fn a_waiter_is_handed_the_lock_however_many_fences_it_asks_for() {
    let server = RedisServer::start();
    let (mut raw, mut listener) = (server.raw(), server.raw());
    listener.command(&["SUBSCRIBE", "dlock:0b"]);
    // The last one is more than any runtime asks for.
    for (fences, is_one_of_ours) in [("0", true), ("1", true), ("9999", true), ("99999", true), ("100000", false)] {
        give_away(&mut raw, &[&format!("0b-1 60000 {fences} me")]);
        assert_eq!(raw.token("k").as_deref(), is_one_of_ours.then_some("0b-1"), "{fences}");
        raw.command(&["DEL", "k"]);
    }
}

/// As after a failover that lost how a lock was handed over, and in which its holder got it back.
#[test]
fn who_gives_a_lock_back_is_not_handed_it_again_and_who_waits_behind_is() {
    let server = RedisServer::start();
    let (mut raw, mut listener) = (server.raw(), server.raw());
    listener.command(&["SUBSCRIBE", "dlock:0a", "dlock:0b"]);
    give_away(&mut raw, &["0a-1 60000 1 me", "0b-1 60000 1 me"]);
    assert_eq!(raw.token("k").as_deref(), Some("0b-1"));
    raw.command(&["DEL", "k"]);
    give_away(&mut raw, &["0a-1 60000 1 me"]);
    assert_eq!(raw.token("k"), None, "nobody else waits");
    assert_eq!(raw.keys(), Vec::<String>::new());
}

/// Releases the lock `k` of the token `0a-1`, for which those entries are in the queue.
fn give_away(raw: &mut Raw, entries: &[&str]) {
    for (at, entry) in (1..).zip(entries) {
        raw.command(&["ZADD", "{k}:queue", &at.to_string(), entry]);
        raw.command(&["ZADD", "{k}:seen", "9e15", entry]);
    }
    raw.command(&["SET", "k", "0a-1 0 0 (me)+"]);
    let keys = ["4", "k", "dlock:fence-clock", "{k}:queue", "{k}:seen"];
    let release = [&["EVAL", scripts::RELEASE], &keys[..], &["0a-1", "", "0"]].concat();
    assert_eq!(raw.command(&release).int(), Some(1), "{entries:?}");
}
