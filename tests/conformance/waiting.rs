//! Who gets the lock, and when: others are excluded, and those who wait come in their order.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dlock_runtime::{Builder, LockError, Runtime, Wait};
use dlock_testkit::{Cluster, RedisServer, Sentinels, with_turns};

use crate::{LONG, MS, SECOND, build, until};

on_each_store! {
    async fn a_lock_excludes_others_until_it_is_released(builder: Builder) {
        let (one, other) = (build(builder.clone()).await, build(builder).await);
        let guard = one.lock("k").acquire().await.expect("free");
        assert!(guard.is_held() && guard.ensure_held().is_ok() && guard.remaining() > SECOND);
        assert!(other.lock("k").try_acquire().await.expect("asked").is_none());
        assert!(one.lock("k").try_acquire().await.expect("asked").is_none(), "not even its own runtime");
        assert!(other.lock("other").try_acquire().await.expect("asked").is_some(), "the negative control: another key");
        guard.release().await.expect("held");
        assert!(other.lock("k").try_acquire().await.expect("asked").is_some());
    }

    async fn busy_tells_who_holds_it_and_how_long_was_waited(builder: Builder) {
        let runtime = build(builder).await;
        let guard = runtime.lock("k").acquire().await.expect("free");
        let error = runtime.lock("k").wait(150 * MS).acquire().await.expect_err("held");
        assert!(error.is_busy() && !error.is_unavailable() && !error.is_lost());
        let LockError::Busy { key, waited, holder, .. } = error else { panic!("{error}") };
        assert_eq!(key.to_string(), "k");
        assert!(waited >= 150 * MS, "{waited:?}");
        let holder = holder.expect("the store knows");
        assert!(holder.owner().contains(&format!("pid {}", std::process::id())), "{holder:?}");
        assert_eq!(holder.fence(), Some(guard.fence()));
    }

    async fn a_wait_of_zero_tries_once(builder: Builder) {
        let runtime = build(builder).await;
        let _guard = runtime.lock("k").acquire().await.expect("free");
        let error = runtime.lock("k").wait(Duration::ZERO).acquire().await.expect_err("held");
        let LockError::Busy { waited, .. } = error else { panic!("{error}") };
        assert!(waited < SECOND, "{waited:?}");
    }

    async fn a_waiter_gets_the_lock_once_it_is_free(builder: Builder) {
        let runtime = build(builder).await;
        let guard = runtime.lock("k").acquire().await.expect("free");
        let waiter = tokio::spawn(runtime.lock("k").wait(Wait::Forever).acquire());
        until("the waiter is counted", async || {
            runtime.inspect("k").await.expect("asked").is_some_and(|holder| holder.waiters() == 1)
        }).await;
        let fence = guard.fence();
        guard.release().await.expect("held");
        let next = waiter.await.expect("no panic").expect("free now");
        assert!(next.fence() > fence);
    }

    async fn fences_grow_from_hold_to_hold_and_stay_exact_in_a_double(builder: Builder) {
        let (one, other) = (build(builder.clone()).await, build(builder).await);
        let mut last = 0;
        for round in 0..200 {
            let runtime = if round % 2 == 0 { &one } else { &other };
            let guard = runtime.lock("k").acquire().await.expect("free");
            assert!(guard.fence() > last && guard.fence() < 1 << 53, "{} after {last}", guard.fence());
            last = guard.fence();
            guard.release().await.expect("held");
        }
    }

    async fn wait_until_free_waits_and_does_not_take(builder: Builder) {
        let runtime = build(builder).await;
        assert!(runtime.wait_until_free("k", SECOND).await.expect("asked"));
        let guard = runtime.lock("k").acquire().await.expect("free");
        assert!(!runtime.wait_until_free("k", 50 * MS).await.expect("asked"));
        let watcher = runtime.clone();
        let free = tokio::spawn(async move { watcher.wait_until_free("k", LONG).await });
        guard.release().await.expect("held");
        assert!(free.await.expect("no panic").expect("asked"));
        assert!(!runtime.is_locked("k").await.expect("asked"));
    }

    async fn tasks_of_one_runtime_get_the_lock_in_the_order_in_which_they_asked(builder: Builder) {
        let runtime = build(builder).await;
        let guard = runtime.lock("k").acquire().await.expect("free");
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in 0..10 {
            let request = runtime.lock("k").wait(LONG);
            let mut asking = Box::pin(request.acquire());
            assert!(tokio::time::timeout(10 * MS, &mut asking).await.is_err(), "it waits");
            let order = Arc::clone(&order);
            tasks.push(tokio::spawn(async move {
                let guard = asking.await.expect("in time");
                order.lock().expect("no panic").push(number);
                guard.release().await.expect("held");
            }));
        }
        guard.release().await.expect("held");
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(*order.lock().expect("no panic"), (0..10).collect::<Vec<_>>());
    }

    async fn tasks_that_take_turns_never_overlap(builder: Builder) {
        let runtime = build(builder).await;
        let inside = Arc::new(AtomicU32::new(0));
        let tasks = (0..8).map(|_| {
            let (runtime, inside) = (runtime.clone(), Arc::clone(&inside));
            tokio::spawn(async move {
                for _ in 0..10 {
                    let guard = runtime.lock("k").wait(Wait::Forever).acquire().await.expect("in the end");
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    guard.release().await.expect("held");
                }
            })
        }).collect::<Vec<_>>();
        for task in tasks {
            task.await.expect("no overlap");
        }
    }
}
