//! What a runtime promises: what it refuses, what it tells, its end, and where it can be used.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dlock_runtime::{Builder, LockError, Runtime, Wait};
use dlock_testkit::{Cluster, RedisServer, Sentinels, with_turns};

use crate::{LONG, MS, SECOND, build, until};

on_each_store! {
    async fn inspect_tells_who_since_when_and_for_how_long(builder: Builder) {
        let runtime = build(builder).await;
        assert!(runtime.inspect("k").await.expect("asked").is_none());
        assert!(!runtime.is_locked("k").await.expect("asked"));
        let guard = runtime.lock("k").ttl(30 * SECOND).acquire().await.expect("free");
        let holder = runtime.inspect("k").await.expect("asked").expect("held");
        assert!(runtime.is_locked("k").await.expect("asked"));
        assert!(!holder.is_foreign() && holder.owner().contains("pid "));
        assert_eq!((holder.fence(), holder.waiters()), (Some(guard.fence()), 0));
        let age = SystemTime::now().duration_since(holder.since().expect("known")).expect("in the past");
        assert!(age < LONG);
        assert!(holder.remaining().is_some_and(|left| left <= 30 * SECOND && left > 10 * SECOND));
    }

    async fn keys_that_cannot_work_are_invalid_and_nothing_is_locked(builder: Builder) {
        let runtime = build(builder).await;
        for bad in ["", "a\nb", "{a", "{}", &"x".repeat(600)] {
            let error = runtime.lock(bad).acquire().await.expect_err("invalid");
            assert!(matches!(error, LockError::InvalidKey { .. }) && error.is_config(), "{bad:?}: {error}");
        }
    }

    async fn options_that_contradict_each_other_are_refused(builder: Builder) {
        let runtime = build(builder.clone()).await;
        let request = || runtime.lock("k").ttl(SECOND);
        for request in [request().renew(SECOND), request().renew(false).max_hold(2 * SECOND), request().ttl(MS)] {
            assert!(matches!(request.acquire().await, Err(LockError::Config { .. })));
        }
        assert!(matches!(builder.ttl(Duration::ZERO).build().await, Err(LockError::Config { .. })));
    }

    async fn namespaces_keep_runtimes_apart(builder: Builder) {
        let one = build(builder.clone().namespace("namespaces:one")).await;
        let other = build(builder.namespace("namespaces:other")).await;
        let _guard = one.lock("k").acquire().await.expect("free");
        assert!(other.lock("k").try_acquire().await.expect("asked").is_some());
        assert!(one.lock("k").try_acquire().await.expect("asked").is_none());
    }

    async fn shutdown_waits_for_what_is_held_and_nothing_new_begins(builder: Builder) {
        let (runtime, witness) = (build(builder.clone()).await, build(builder).await);
        for key in 0..50 {
            drop(runtime.lock(format!("k:{key}")).acquire().await.expect("free"));
        }
        let kept = runtime.lock("kept").ttl(600 * MS).acquire().await.expect("free");
        let waiting = tokio::spawn(runtime.lock("kept").wait(Wait::Forever).acquire());
        until("the waiter is counted", async || {
            runtime.inspect("kept").await.expect("asked").is_some_and(|holder| holder.waiters() == 1)
        })
        .await;
        assert!(!runtime.shutdown(900 * MS).await, "one is held yet");
        let error = waiting.await.expect("no panic").expect_err("who waits is sent away");
        assert!(error.is_shut_down(), "{error}");
        for key in 0..50 {
            assert!(!witness.is_locked(format!("k:{key}")).await.expect("asked"));
        }
        let error = runtime.lock("k").acquire().await.expect_err("shut down");
        assert!(error.is_shut_down() && !error.is_unavailable(), "{error}");
        kept.ensure_held().expect("what is held is renewed even now");
        drop(kept);
        assert!(runtime.shutdown(LONG).await);
        assert!(!witness.is_locked("kept").await.expect("asked"));
    }

    async fn several_tokio_runtimes_share_one_lock_runtime(builder: Builder) {
        let runtime = build(builder).await;
        let other = runtime.clone();
        // A runtime that is not inside `block_on` drives nothing: its connection must not be used by others.
        let idle = std::thread::spawn(move || {
            let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let guard = idle.block_on(other.lock("k").acquire()).expect("free");
            (idle, guard)
        });
        let (idle, guard) = idle.join().expect("no panic");
        assert!(runtime.lock("k").try_acquire().await.expect("asked").is_none());
        guard.release().await.expect("held");
        assert!(runtime.lock("k").try_acquire().await.expect("asked").is_some());
        std::thread::spawn(move || drop(idle)).join().expect("no panic");
    }

    async fn other_executors_and_runtimes_without_drivers_work_too(builder: Builder) {
        let runtime = build(builder).await;
        let held = runtime.lock("k").acquire().await.expect("free");
        let work = async move |runtime: Runtime| {
            // Long enough to connect on a busy machine.
            assert!(runtime.lock("k").wait(300 * MS).acquire().await.is_err_and(|error| error.is_busy()));
            let guard = runtime.lock("other").acquire().await.expect("free");
            guard.renew().await.expect("held");
            assert_eq!(guard.run(async { 7 }).await.expect("held"), 7);
            guard.release().await.expect("held");
            assert!(runtime.wait_until_free("other", LONG).await.expect("asked"));
        };
        let bare = runtime.clone();
        std::thread::spawn(move || block_on_without_tokio(work(bare))).join().expect("no panic");
        let bare = runtime.clone();
        let without_drivers = move || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work(bare));
        std::thread::spawn(without_drivers).join().expect("no panic");
        held.release().await.expect("held");
    }
}

/// The smallest executor: it parks the thread until it is woken.
fn block_on_without_tokio<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
