//! Mutual exclusion over many tasks, judged by a history and not by luck: every critical section notes its fence when
//! it enters and leaves, no two may overlap, and fences must rise. The same workload without a lock is condemned by the
//! same judge.

use std::{sync::Arc, time::Duration};

use dlock_runtime::Runtime;
use dlock_testkit::{History, RedisServer, with_turns};

const LONG: Duration = Duration::from_secs(30);

/// Stays inside long enough for another task to come in, if anything lets it.
async fn section(history: &History, who: &str, fence: u64) {
    history.enter(who, fence);
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_micros(200)).await;
    history.leave(who, fence);
}

/// `tasks` tasks on each runtime, each `rounds` times in the section; checks the history.
async fn compete(runtimes: &[Runtime], key: &'static str, tasks: usize, rounds: usize) {
    let history = Arc::new(History::create());
    let mut running = Vec::new();
    for (number, runtime) in runtimes.iter().enumerate() {
        for task in 0..tasks {
            let (runtime, history) = (runtime.clone(), Arc::clone(&history));
            running.push(tokio::spawn(async move {
                let who = format!("{number}/{task}");
                for round in 0..rounds {
                    let guard = runtime.lock(key).wait(LONG * 2).acquire().await.expect("a turn");
                    section(&history, &who, guard.fence()).await;
                    // Half of them let go as a panic or an early return would.
                    if (task + round) % 2 == 0 {
                        guard.release().await.expect("held throughout");
                    }
                }
            }));
        }
    }
    for task in running {
        task.await.expect("no task panics");
    }
    assert_eq!(history.check(), Ok(runtimes.len() * tasks * rounds));
}

async fn on_redis(count: usize) -> Vec<Runtime> {
    let mut runtimes = Vec::new();
    for _ in 0..count {
        let builder =
            Runtime::builder().turns(with_turns()).redis(RedisServer::shared().url()).namespace("exclusion").ttl(LONG);
        runtimes.push(builder.build().await.expect("a runtime"));
    }
    runtimes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_of_one_runtime_on_redis_never_overlap() {
    compete(&on_redis(1).await, "one", 32, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_of_several_runtimes_on_redis_never_overlap() {
    compete(&on_redis(4).await, "several", 3, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_on_the_embedded_store_never_overlap() {
    let builder = Runtime::builder().turns(with_turns()).embedded().namespace("exclusion").ttl(LONG);
    compete(&[builder.build().await.expect("a runtime")], "embedded", 32, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_of_several_runtimes_on_the_embedded_store_never_overlap() {
    let mut runtimes = Vec::new();
    for _ in 0..4 {
        let builder = Runtime::builder().turns(with_turns()).embedded().namespace("exclusion").ttl(LONG);
        runtimes.push(builder.build().await.expect("a runtime"));
    }
    compete(&runtimes, "embedded:several", 3, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn short_leases_that_are_renewed_never_overlap() {
    let runtimes = on_redis(2).await;
    let history = Arc::new(History::create());
    let ttl = Duration::from_millis(400);
    let mut running = Vec::new();
    for (number, runtime) in runtimes.into_iter().enumerate() {
        let history = Arc::clone(&history);
        running.push(tokio::spawn(async move {
            let who = number.to_string();
            for _ in 0..2 {
                let guard = runtime.lock("renewed").ttl(ttl).wait(LONG).acquire().await.expect("a turn");
                history.enter(&who, guard.fence());
                tokio::time::sleep(ttl * 2).await;
                history.leave(&who, guard.fence());
                guard.release().await.expect("renewed throughout");
            }
        }));
    }
    for task in running {
        task.await.expect("no task panics");
    }
    assert_eq!(history.check(), Ok(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_keys_do_not_exclude_each_other() {
    let runtime = on_redis(1).await.remove(0);
    let one = runtime.lock("key:1").acquire().await.expect("it is free");
    let two = runtime.lock("key:2").wait(Duration::ZERO).acquire().await.expect("another lock");
    assert!(one.is_held() && two.is_held());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn control_the_same_tasks_without_a_lock_overlap() {
    let history = Arc::new(History::create());
    let tasks: Vec<_> = (0..32_u64)
        .map(|task| {
            let history = Arc::clone(&history);
            tokio::spawn(async move { section(&history, &task.to_string(), task + 1).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    assert!(history.overlaps() > 0);
    assert!(history.check().is_err());
}
