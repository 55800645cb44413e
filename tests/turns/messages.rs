//! Messages get lost, come late, or cannot come at all: that costs time, and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{Fault, Proxy, Raw, RedisServer, Rule, Value, eventually, eventually_async};

use crate::{
    MS, POLL, SLACK, SOON, build, build_some,
    busy::{Busy, Log, take_turns},
    got, hand_over_times, hold, median, nothing_is_left, on, shared, until_waiting, wait_for,
};

/// What a loaded machine may add to a median.
const SOME: Duration = Duration::from_millis(250);

fn behind(proxy: &Proxy) -> Builder {
    on(RedisServer::shared()).redis(proxy.url())
}

/// Hands a lock over to a runtime that waits, with trouble on the way right before each time, and tells how long it took.
async fn hand_overs(waiter: &Runtime, key: &'static str, mut trouble: impl FnMut()) -> Vec<Duration> {
    let holder = build(shared()).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let guard = hold(&holder, key).await;
        let waiting = wait_for(waiter, key);
        until_waiting(&holder, key, 1).await;
        trouble();
        let released = Instant::now();
        guard.release().await.expect("ours");
        let (guard, at) = got(waiting).await;
        times.push(at.saturating_duration_since(released));
        guard.release().await.expect("ours");
    }
    assert!(times.iter().all(|time| *time < POLL + SLACK), "{times:?}");
    assert!(median(times.clone()) < POLL + SOME, "{times:?}");
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_over_whose_message_is_lost_is_noticed_at_the_next_poll() {
    let proxy = Proxy::start(RedisServer::shared());
    let waiter = build(behind(&proxy)).await;
    proxy.add_for_messages(Rule::new(Fault::Swallow).matching("granted"));
    proxy.add_for_messages(Rule::new(Fault::Swallow).matching("free "));
    hand_overs(&waiter, "lost-grant", || {}).await;
    assert!(proxy.messages_struck() >= 5, "the negative control: they were lost");
    nothing_is_left(&mut RedisServer::shared().raw(), "turns:lost-grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_comes_late_takes_nothing_from_anybody() {
    let proxy = Proxy::start(RedisServer::shared());
    let [holder, other] = build_some(shared()).await;
    let waiter = build(behind(&proxy)).await;
    for round in 0..3 {
        let guard = hold(&holder, "late").await;
        let waiting = wait_for(&waiter, "late");
        until_waiting(&holder, "late", 1).await;
        let struck = proxy.messages_struck();
        proxy.add_for_messages(Rule::new(Fault::Delay(2 * POLL)).times(1));
        guard.release().await.expect("ours");
        let (guard, _) = got(waiting).await;
        // It has the lock by its own question. The message comes while it holds it, or when somebody else does.
        let guard = if round % 2 == 0 {
            guard
        } else {
            guard.release().await.expect("ours");
            hold(&other, "late").await
        };
        let began = Instant::now();
        while began.elapsed() < 3 * POLL {
            guard.ensure_held().expect("undisturbed");
            assert!(holder.lock("late").try_acquire().await.expect("asked").is_none());
            tokio::time::sleep(10 * MS).await;
        }
        assert_eq!(proxy.messages_struck(), struck + 1, "the negative control: it was late");
        guard.release().await.expect("undisturbed");
    }
    nothing_is_left(&mut RedisServer::shared().raw(), "turns:late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_that_is_lost_is_said_again() {
    let proxy = Proxy::start(RedisServer::shared());
    let busy = build(behind(&proxy)).await;
    let other = build(shared()).await;
    let log = Arc::new(Log::default());
    let tasks = Busy::start(&busy, "recall", 4, MS, &log);
    let mut times = Vec::new();
    for _ in 0..8 {
        let so_far = log.count();
        eventually_async("the others are busy", SOON, async || log.count() > so_far + 8).await;
        let struck = proxy.messages_struck();
        proxy.add_for_messages(Rule::new(Fault::Swallow).matching("wanted").times(1));
        let began = Instant::now();
        let (guard, at) = got(wait_for(&other, "recall")).await;
        // Now and then the lock goes free for a moment without a recall.
        if proxy.messages_struck() > struck {
            times.push(at - began);
        }
        guard.release().await.expect("ours");
        proxy.heal();
    }
    tasks.stop().await;
    assert!(times.len() >= 4, "the negative control: {} were lost", times.len());
    assert!(median(times.clone()) < POLL + SOME, "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_of_a_lease_that_lingers_that_is_lost_is_said_again() {
    let proxy = Proxy::start(RedisServer::shared());
    let lingering = build(behind(&proxy).linger(crate::LONG)).await;
    let other = build(shared()).await;
    let mut times = Vec::new();
    for round in 1..=7 {
        hold(&lingering, "recall:linger").await.release().await.expect("ours");
        proxy.add_for_messages(Rule::new(Fault::Swallow).matching("wanted").times(1));
        let began = Instant::now();
        let guard = hold(&other, "recall:linger").await;
        times.push(began.elapsed());
        assert_eq!(proxy.messages_struck(), round, "the negative control: it was lost");
        guard.release().await.expect("ours");
    }
    assert!(median(times.clone()) < POLL + SOME, "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_breaks_right_before_the_hand_over_costs_a_poll_at_most() {
    let server = RedisServer::start();
    let (mut raw, mut killed) = (server.raw(), 0);
    let [holder, waiter] = build_some(on(&server)).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let guard = hold(&holder, "k").await;
        let waiting = wait_for(&waiter, "k");
        until_waiting(&holder, "k", 1).await;
        killed += raw.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).int().expect("a number");
        let released = Instant::now();
        guard.release().await.expect("ours");
        let (guard, at) = got(waiting).await;
        times.push(at.saturating_duration_since(released));
        guard.release().await.expect("ours");
    }
    // The pauses before it subscribes again grow; meanwhile it polls.
    assert!(killed >= 2, "the negative control: {killed} were killed");
    assert!(times.iter().all(|time| *time < POLL + SLACK), "{times:?}");
    assert!(median(times.clone()) < POLL + SOME, "{times:?}");
    nothing_is_left(&mut raw, "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_that_break_all_the_time_lose_nothing() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtimes = build_some::<3>(on(&server)).await;
    let (done, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let killing = tokio::task::spawn_blocking({
        let (done, killed, mut raw) = (Arc::clone(&done), Arc::clone(&killed), server.raw());
        move || {
            while !done.load(Ordering::Relaxed) {
                let count = raw.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).int().expect("a number");
                killed.fetch_add(count, Ordering::Relaxed);
                std::thread::sleep(15 * MS);
            }
        }
    });
    // The pauses before they subscribe again grow.
    while killed.load(Ordering::Relaxed) < 6 {
        assert!(take_turns(&runtimes, "k", 2, 60).await.rises());
    }
    done.store(true, Ordering::Relaxed);
    killing.await.expect("no panic");
    nothing_is_left(&mut raw, "turns:k");
}

/// A server with a user who may do everything but publish and subscribe, and the URL of that user.
fn without_channels() -> (RedisServer, String) {
    let server = RedisServer::start();
    let user = ["ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels"];
    assert!(server.raw().command(&user).is_ok());
    let url = server.url().replace("redis://", "redis://deaf:secret@");
    (server, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_without_permission_for_channels_exclude_each_other_and_get_locks_by_polling() {
    let (server, url) = without_channels();
    let runtimes = build_some::<2>(on(&server).redis(url)).await;
    let log = take_turns(&runtimes, "k", 2, 20).await;
    assert!(log.rises());
    let pubsub = server.raw().command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    assert_eq!(pubsub.text().map(str::trim), Some(""), "the negative control: nobody listens");
    nothing_is_left(&mut server.raw(), "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_permission_for_channels_gets_what_another_gives_back() {
    let (server, url) = without_channels();
    let (hearing, deaf) = (build(on(&server)).await, build(on(&server).redis(url)).await);
    for (one, other) in [(&hearing, &deaf), (&deaf, &hearing)] {
        let mut times = Vec::new();
        for _ in 0..3 {
            let guard = hold(one, "k").await;
            let waiting = wait_for(other, "k");
            tokio::time::sleep(20 * MS).await;
            assert!(!waiting.is_finished(), "they exclude each other");
            let released = Instant::now();
            guard.release().await.expect("ours");
            let (guard, at) = got(waiting).await;
            times.push(at.saturating_duration_since(released));
            guard.release().await.expect("ours");
        }
        assert!(median(times.clone()) < POLL + SOME, "{times:?}");
    }
    nothing_is_left(&mut server.raw(), "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_while_it_subscribes_again_is_left_within_seconds() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let (holder, waiter) = (build(on(&server)).await, build(on(&server).redis(proxy.url())).await);
    let mut raw = server.raw();
    proxy.swallow();
    let channels = |raw: &mut Raw| match raw.command(&["PUBSUB", "CHANNELS", "dlock:*"]) {
        Value::List(channels) => channels
            .iter()
            .filter_map(|channel| channel.text())
            .filter(|channel| channel.matches(':').count() == 1)
            .count(),
        other => panic!("{other:?}"),
    };
    eventually("both listen", SOON, || channels(&mut raw) == 2);
    raw.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    let began = eventually("it subscribes again", SOON, || proxy.swallowed() > 0);
    assert!(began < SOON);
    let since = Instant::now();
    eventually("the black hole lasts for a second", SOON, || since.elapsed() > Duration::from_secs(1));
    let control = Raw::connect(&proxy.url());
    eventually("the negative control: it swallows", SOON, || proxy.swallowed() > 1);
    proxy.heal();
    let time = eventually("it hears again", SOON, || channels(&mut raw) == 2);
    assert!(time < Duration::from_secs(8), "{time:?}");
    let times = hand_over_times(&holder, &waiter).await;
    assert!(median(times.clone()) < 40 * MS, "{times:?}");
    drop(control);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_died_without_a_sign_is_found_within_seconds() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let (holder, waiter) = (build(on(&server)).await, build(on(&server).redis(proxy.url())).await);
    let times = hand_over_times(&holder, &waiter).await;
    assert!(median(times.clone()) < 40 * MS, "it hears: {times:?}");
    let mut raw = server.raw();
    let subscriptions = |raw: &mut Raw| raw.command_stats().get("subscribe").copied().unwrap_or(0);
    let before = subscriptions(&mut raw);
    // Nothing that is published arrives, and the connection stays. New ones are well.
    proxy.add_for_messages(Rule::new(Fault::Swallow).matching("message").times(1));
    eventually("the negative control: a message was lost", SOON, || proxy.messages_struck() == 1);
    let time = eventually("it subscribes anew", SOON, || subscriptions(&mut raw) > before);
    assert!(time < Duration::from_secs(8), "{time:?}");
    eventually("its messages arrive", SOON, || subscriptions(&mut raw) > before);
    let times = hand_over_times(&holder, &waiter).await;
    assert!(median(times.clone()) < 40 * MS, "{times:?}");
}
