//! Clients that know nothing of turns and queues: `SET token NX PX` and `DEL`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dlock_runtime::Runtime;
use dlock_testkit::{RedisServer, eventually_async};

use crate::{
    MS, POLL, SLACK, SOON, build, build_some,
    busy::{Busy, Log},
    got, median, on, shared, wait_for,
};

/// What a loaded machine may add to a median.
const SOME: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_foreign_client_gives_back_is_ours_soon() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:foreign:del");
    let runtime = build(shared()).await;
    let mut times = Vec::new();
    for pause in [5, 100, 400, 700, 50] {
        assert!(raw.command(&["SET", lock, "foreign", "NX", "PX", "30000"]).is_ok());
        let waiting = wait_for(&runtime, "foreign:del");
        // The longer it waits, the longer are its pauses, up to a bound.
        tokio::time::sleep(pause * MS).await;
        assert!(!waiting.is_finished());
        assert_eq!(raw.command(&["DEL", lock]).int(), Some(1));
        let released = Instant::now();
        let (guard, at) = got(waiting).await;
        times.push(at.saturating_duration_since(released));
        guard.release().await.expect("ours");
    }
    assert!(times.iter().all(|time| *time < POLL + SLACK), "{times:?}");
    assert!(median(times.clone()) < POLL + SOME, "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_foreign_client_lets_expire_is_ours_soon() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:foreign:expires");
    let runtime = build(shared()).await;
    let mut times = Vec::new();
    for ttl in [50, 300, 500] {
        let earliest = Instant::now() + ttl * MS;
        assert!(raw.command(&["SET", lock, "foreign", "NX", "PX", &ttl.to_string()]).is_ok());
        let ends = Instant::now() + ttl * MS;
        let (guard, at) = got(wait_for(&runtime, "foreign:expires")).await;
        assert!(at + 2 * MS > earliest, "not before its end");
        times.push(at.saturating_duration_since(ends));
        guard.release().await.expect("ours");
    }
    assert!(times.iter().all(|time| *time < POLL + SLACK), "{times:?}");
    // Here the end is known beforehand.
    assert!(median(times.clone()) < 2 * SOME, "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_client_that_polls_gets_its_chance_though_a_runtime_never_pauses() {
    a_foreign_client_gets_in("foreign:one", &[build(shared()).await]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_client_that_polls_gets_its_chance_though_two_runtimes_never_pause() {
    a_foreign_client_gets_in("foreign:two", &build_some::<2>(shared()).await).await;
}

async fn a_foreign_client_gets_in(key: &'static str, runtimes: &[Runtime]) {
    let (mut raw, lock) = (RedisServer::shared().raw(), format!("turns:{key}"));
    let log = Arc::new(Log::default());
    let tasks: Vec<_> = runtimes.iter().map(|runtime| Busy::start(runtime, key, 3, MS, &log)).collect();
    eventually_async("they are busy", SOON, async || log.count() > 20).await;
    let polling = Arc::clone(&log);
    let inside = tokio::task::spawn_blocking(move || {
        let taken = (0..100).filter(|_| raw.exists(&lock)).count();
        assert!(taken > 80, "the negative control: the lock is not simply free, {taken} of 100");
        let (began, mut polls) = (Instant::now(), 0);
        while !raw.command(&["SET", &lock, "foreign", "NX", "PX", "30000"]).is_ok() {
            polls += 1;
            assert!(began.elapsed() < SOON, "no chance in {polls} polls");
            std::thread::sleep(2 * MS);
        }
        // It excludes ours as any holder does, and gives it back.
        polling.enter(9, u64::MAX);
        std::thread::sleep(20 * MS);
        polling.leave();
        assert_eq!(raw.command(&["DEL", &lock]).int(), Some(1), "nobody touched it");
    });
    inside.await.expect("it gets in");
    let so_far = log.count();
    eventually_async("ours go on", SOON, async || log.count() > so_far + 20).await;
    for tasks in tasks {
        tasks.stop().await;
    }
}

/// The text of what a server says of a command that it carries out: `1732.5 [0 lua] "del" "turns:k"`.
fn about<'a>(said: &'a str, lock: &str) -> Option<(f64, &'a str)> {
    let mut words = said.split('"');
    let (from, command, key) = (words.next()?, words.next()?, words.nth(1)?);
    Some((from.split(' ').next()?.parse().ok()?, command)).filter(|_| key == lock)
}

/// For how long the locks were free, in milliseconds, in three seconds of somebody always wanting each of them.
async fn free_times(keys: [&'static str; 4], server: &RedisServer, runtimes: &[Runtime]) -> Vec<f64> {
    let mut monitor = server.raw();
    assert!(monitor.command(&["MONITOR"]).is_ok());
    let busy = keys.map(|key| {
        let log = Arc::new(Log::default());
        runtimes.iter().map(|runtime| Busy::start(runtime, key, 2, MS, &log)).collect::<Vec<_>>()
    });
    let reading = tokio::task::spawn_blocking(move || {
        let (began, mut times, mut freed) = (Instant::now(), Vec::new(), [None; 4]);
        while began.elapsed() < 3_500 * MS {
            let said = monitor.receive().expect("they are busy");
            for (key, freed) in keys.iter().zip(&mut freed) {
                match said.text().and_then(|said| about(said, &format!("turns:{key}"))) {
                    Some((at, command)) if command.to_lowercase().starts_with("del") => *freed = Some(at),
                    Some((at, command)) if command.eq_ignore_ascii_case("set") => {
                        times.extend(freed.take().map(|freed| (at - freed) * 1e3));
                    }
                    _ => {}
                }
            }
        }
        times
    });
    let times = reading.await.expect("no panic");
    for tasks in busy.into_iter().flatten() {
        tasks.stop().await;
    }
    times
}

/// About once a second. A single process sleeps before it asks again, and of several the one that is told does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_goes_free_for_others_is_free_for_a_millisecond() {
    for count in [1, 2] {
        let server = RedisServer::start();
        let [one, other] = build_some(on(&server)).await;
        let mut times = free_times(["free:a", "free:b", "free:c", "free:d"], &server, &[one, other][..count]).await;
        times.sort_by(f64::total_cmp);
        assert!(times.len() >= 4, "{count} runtimes: {times:?}");
        // A release that a busy machine holds up may come late.
        assert!(times[times.len() / 2] > 0.9, "{count} runtimes: {times:?}");
    }
}
