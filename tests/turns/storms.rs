//! Many tasks give up at random moments: nobody's wake-up gets lost with them.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, Runtime};
use dlock_testkit::{Dice, RedisServer};

use crate::{MS, POLL, SLACK, SOON, build, build_some, busy::Log, got, hold, nothing_is_left, on, until_free};

/// How long a storm lasts.
const STORM: Duration = Duration::from_millis(1500);
/// What passes between two turns, at the most: a poll and its jitter, and what a loaded machine adds.
const GAP: Duration = Duration::from_millis(300 + 700);

/// When the last turn began, and the longest time without one.
struct Gaps(Mutex<(Instant, Duration)>);

impl Gaps {
    fn new() -> Self {
        Self(Mutex::new((Instant::now(), Duration::ZERO)))
    }

    fn turn(&self) {
        let (last, longest) = &mut *self.0.lock().expect("nobody panics");
        *longest = (*longest).max(last.elapsed());
        *last = Instant::now();
    }

    fn longest(&self) -> Duration {
        self.0.lock().expect("nobody panics").1
    }
}

/// What a storm came to.
struct Outcome {
    turns: usize,
    cancelled: usize,
    longest: Duration,
}

/// Tasks that give up after a random time, below `patience` µs, and one of each runtime that does not.
async fn storm(runtimes: &[Runtime], tasks: usize, patience: u64) -> Outcome {
    let (log, gaps) = (Arc::new(Log::default()), Arc::new(Gaps::new()));
    let ends = Instant::now() + STORM;
    let mut running = Vec::new();
    for task in 0..runtimes.len() * tasks {
        let by = task % runtimes.len();
        let patient = task < runtimes.len();
        let (runtime, log, gaps) = (runtimes[by].clone(), Arc::clone(&log), Arc::clone(&gaps));
        running.push(tokio::spawn(async move {
            let (mut dice, mut cancelled) = (Dice(0x5eed + task as u64), 0);
            while Instant::now() < ends {
                let acquire = hold(&runtime, "k");
                let most = if patient { SOON } else { Duration::from_micros(dice.below(patience)) };
                let Ok(guard) = tokio::time::timeout(most, acquire).await else {
                    assert!(!patient, "a turn never came");
                    cancelled += 1;
                    continue;
                };
                gaps.turn();
                log.enter(by, guard.fence());
                if dice.below(4) == 0 {
                    tokio::time::sleep(Duration::from_micros(dice.below(1_500))).await;
                }
                log.leave();
                match dice.below(3) {
                    0 => drop(guard),
                    1 => guard.release().await.expect("ours"),
                    _ => _ = tokio::time::timeout(Duration::from_micros(dice.below(500)), guard.release()).await,
                }
                if dice.below(8) == 0 {
                    tokio::time::sleep(Duration::from_micros(dice.below(5_000))).await;
                }
            }
            cancelled
        }));
    }
    let mut cancelled = 0;
    for task in running {
        cancelled += got(task).await;
    }
    assert!(log.rises());
    Outcome { turns: log.count(), cancelled, longest: gaps.longest() }
}

fn assert_weathered(outcome: &Outcome) {
    let Outcome { turns, cancelled, longest } = outcome;
    assert!(*turns > 20 && *cancelled > 20, "the negative control: {turns} turns, {cancelled} cancelled");
    assert!(*longest < GAP, "{longest:?} without a turn");
}

/// On a server of its own, to see that nothing is left of it.
async fn on_redis(change: impl FnOnce(Builder) -> Builder, patience: u64) {
    let server = RedisServer::start();
    let runtimes = build_some::<2>(change(on(&server))).await;
    let outcome = storm(&runtimes, 10, patience).await;
    assert_weathered(&outcome);
    nothing_is_left(&mut server.raw(), "turns:k");
    let [one, other] = runtimes;
    for runtime in [&one, &other] {
        assert!(runtime.shutdown(SOON).await);
    }
    nothing_is_left(&mut server.raw(), "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_give_up_at_random_lose_no_wake_up() {
    on_redis(|builder| builder, 4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_give_up_after_a_moment_lose_no_wake_up() {
    on_redis(|builder| builder.yield_after(1, MS), 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_give_up_at_random_lose_no_wake_up_without_turns() {
    on_redis(|builder| builder.turns(false), 8_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_give_up_at_random_lose_no_lease_that_lingers() {
    let server = RedisServer::start();
    let runtimes = build_some::<2>(on(&server).linger(20 * MS).confirm_release(false)).await;
    assert_weathered(&storm(&runtimes, 10, 4_000).await);
    // It lingers for a moment yet.
    until_free(&runtimes[0], "k").await;
    nothing_is_left(&mut server.raw(), "turns:k");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_give_up_at_random_lose_no_wake_up_on_the_embedded_store() {
    let runtimes = build_some::<2>(crate::embedded().namespace("storm")).await;
    assert_weathered(&storm(&runtimes, 10, 2_000).await);
    until_free(&runtimes[0], "k").await;
    let began = Instant::now();
    hold(&runtimes[1], "k").await.release().await.expect("ours");
    assert!(began.elapsed() < POLL + SLACK, "{:?}", began.elapsed());
}

/// A thread that is new to the runtime first finds out whether requests can run on it: the release is not on its way yet.
#[test]
fn a_release_that_is_cancelled_at_its_first_await_is_carried_out() {
    let server = RedisServer::start();
    let tokio = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    let (held, elsewhere) = (tokio(), tokio());
    let (_runtime, guard) = held.block_on(async {
        let runtime = build(on(&server)).await;
        let guard = hold(&runtime, "k").await;
        (runtime, guard)
    });
    assert!(server.raw().exists("turns:k"));
    let cancelled = std::thread::spawn(move || {
        elsewhere.block_on(async {
            let mut release = Box::pin(guard.release());
            let first = std::future::poll_fn(|context| std::task::Poll::Ready(release.as_mut().poll(context))).await;
            first.is_pending()
        })
    });
    assert!(cancelled.join().expect("no panic"), "the negative control: it is cancelled on its way");
    nothing_is_left(&mut server.raw(), "turns:k");
}
