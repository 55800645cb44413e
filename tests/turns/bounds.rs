//! Bounds on how many tasks wait.

use std::time::Instant;

use dlock_runtime::{LockError, Runtime};

use crate::{SLACK, build, build_some, got, hold, queue_up, until_waiting, wait_for};

async fn assert_busy_at_once(runtime: &Runtime, key: &'static str) {
    let began = Instant::now();
    let error = runtime.lock(key).wait(2 * SLACK).acquire().await.expect_err("there are too many");
    assert!(matches!(error, LockError::Busy { .. }), "{error}");
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}

on_each_store! {
    async fn one_waiter_too_many_for_a_key_is_sent_away_at_once(builder: Builder) {
        let runtime = build(builder.waiters_per_key(3)).await;
        let guard = hold(&runtime, "k").await;
        let tasks = queue_up(&runtime, "k", 3).await;
        assert_busy_at_once(&runtime, "k").await;
        let _other = hold(&runtime, "other").await;
        guard.release().await.expect("ours");
        for task in tasks {
            got(task).await.0.release().await.expect("those in the queue are served");
        }
        hold(&runtime, "k").await.release().await.expect("and there is room again");
    }

    async fn one_waiter_too_many_is_sent_away_also_if_another_runtime_holds_the_lock(builder: Builder) {
        let holder = build(builder.clone()).await;
        let runtime = build(builder.waiters_per_key(3)).await;
        let guard = hold(&holder, "k").await;
        let tasks = queue_up(&runtime, "k", 3).await;
        assert_busy_at_once(&runtime, "k").await;
        guard.release().await.expect("ours");
        for task in tasks {
            got(task).await.0.release().await.expect("those in the queue are served");
        }
    }

    async fn one_waiter_too_many_in_all_is_sent_away_at_once(builder: Builder) {
        let runtime = build(builder.waiters(3)).await;
        let guards = [hold(&runtime, "a").await, hold(&runtime, "b").await];
        let mut tasks = queue_up(&runtime, "a", 2).await;
        tasks.extend(queue_up(&runtime, "b", 1).await);
        assert_busy_at_once(&runtime, "a").await;
        assert_busy_at_once(&runtime, "b").await;
        hold(&runtime, "c").await.release().await.expect("who need not wait is not concerned");
        for guard in guards {
            guard.release().await.expect("ours");
        }
        for task in tasks {
            got(task).await.0.release().await.expect("those in the queue are served");
        }
    }

    async fn waiters_that_are_cancelled_make_room(builder: Builder) {
        let [bound_per_key, bound] = build_some(builder.clone().waiters_per_key(3)).await;
        drop(bound);
        for runtime in [bound_per_key, build(builder.waiters(3)).await] {
            let guard = hold(&runtime, "k").await;
            for _ in 0..5 {
                let tasks: Vec<_> = (0..3).map(|_| wait_for(&runtime, "k")).collect();
                until_waiting(&runtime, "k", 3).await;
                for task in tasks {
                    task.abort();
                    assert!(task.await.is_err());
                }
            }
            let tasks = queue_up(&runtime, "k", 3).await;
            assert_busy_at_once(&runtime, "k").await;
            guard.release().await.expect("ours");
            for task in tasks {
                got(task).await.0.release().await.expect("those in the queue are served");
            }
        }
    }
}
