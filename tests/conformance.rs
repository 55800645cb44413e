//! One suite of promises, run on each store. What holds on one must hold on the others, so that a program that was tried on
//! the embedded store behaves the same on Redis, and on a Redis that Sentinel watches over.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use dlock_runtime::{Builder, Guard, LockError, LostReason, MaxHold, Runtime, Wait};
use dlock_testkit::{RedisServer, Sentinels, with_turns};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const LONG: Duration = Duration::from_secs(20);

/// Runs each test on each store, in a namespace of its own.
macro_rules! on_each_store {
    ($($(#[$meta:meta])* async fn $name:ident($builder:ident: Builder) $body:block)*) => {
        $(
            $(#[$meta])*
            async fn $name($builder: Builder) $body
        )*

        mod embedded {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Runtime::builder().turns(with_turns()).embedded().namespace(stringify!($name))).await;
                }
            )*
        }

        mod redis {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let url = RedisServer::shared().url();
                    super::$name(Runtime::builder().turns(with_turns()).redis(url).namespace(stringify!($name))).await;
                }
            )*
        }

        mod sentinel {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let builder = Runtime::builder().sentinel(Sentinels::MASTER, Sentinels::shared().urls());
                    super::$name(builder.turns(with_turns()).namespace(stringify!($name))).await;
                }
            )*
        }
    };
}

async fn build(builder: Builder) -> Runtime {
    builder.build().await.expect("the store is there")
}

/// Waits until `condition` holds.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}");
        tokio::time::sleep(5 * MS).await;
    }
}

async fn until_lost(guard: &Guard) -> LockError {
    until("the guard notices the loss", async || !guard.is_held()).await;
    guard.ensure_held().expect_err("it is not held")
}

/// Sets a flag when it is dropped, as a transaction rolls back.
struct Transaction(Arc<AtomicBool>);

impl Drop for Transaction {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

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

    async fn a_held_lock_is_renewed_beyond_its_ttl(builder: Builder) {
        let runtime = build(builder).await;
        // A busy machine may not let a thread run for some hundred milliseconds.
        let guard = runtime.lock("k").ttl(600 * MS).acquire().await.expect("free");
        let began = Instant::now();
        while began.elapsed() < 1500 * MS {
            guard.ensure_held().expect("renewed");
            assert!(runtime.lock("k").try_acquire().await.expect("asked").is_none());
            tokio::time::sleep(10 * MS).await;
        }
        guard.release().await.expect("held");
    }

    async fn without_renewal_a_lock_ends_with_its_ttl_and_the_holder_knows(builder: Builder) {
        let runtime = build(builder).await;
        let guard = runtime.lock("k").ttl(100 * MS).renew(false).acquire().await.expect("free");
        let error = until_lost(&guard).await;
        let LockError::Lost { key, held_for, fence, reason, .. } = error else { panic!("{error}") };
        assert_eq!((key.to_string().as_str(), fence, reason), ("k", guard.fence(), LostReason::Expired));
        assert!(held_for >= 90 * MS, "{held_for:?}");
        assert_eq!(guard.remaining(), Duration::ZERO);
        let next = runtime.lock("k").acquire().await.expect("expired");
        assert!(matches!(guard.release().await, Err(LockError::Lost { .. })), "a late release tells of the loss");
        next.ensure_held().expect("and does not touch the next holder");
        assert!(runtime.is_locked("k").await.expect("asked"));
    }

    async fn max_hold_ends_a_lock_that_is_renewed(builder: Builder) {
        let runtime = build(builder).await;
        // It counts from before the request was sent.
        let began = Instant::now();
        let guard = runtime.lock("k").ttl(600 * MS).max_hold(800 * MS).acquire().await.expect("free");
        let error = until_lost(&guard).await;
        assert!(matches!(error, LockError::Lost { reason: LostReason::MaxHold, .. }), "{error}");
        assert!(began.elapsed() > 700 * MS, "{:?}", began.elapsed());
        let next = runtime.lock("k").acquire().await.expect("free within its ttl");
        assert!(next.fence() > guard.fence());
        let unbounded = runtime.lock("u").ttl(600 * MS).max_hold(MaxHold::Unbounded).acquire().await.expect("free");
        tokio::time::sleep(1500 * MS).await;
        unbounded.ensure_held().expect("the negative control");
    }

    async fn a_manual_renewal_starts_the_lease_anew(builder: Builder) {
        let runtime = build(builder).await;
        let guard = runtime.lock("k").ttl(10 * SECOND).renew(false).acquire().await.expect("free");
        until("some of the lease is used up", async || guard.remaining() < Duration::from_millis(9_850)).await;
        guard.renew().await.expect("held");
        assert!(guard.remaining() > Duration::from_millis(9_850), "{:?}", guard.remaining());
    }

    async fn a_body_whose_lock_is_lost_is_dropped_and_its_transaction_with_it(builder: Builder) {
        let runtime = build(builder).await;
        let guard = runtime.lock("k").ttl(100 * MS).renew(false).acquire().await.expect("free");
        let rolled_back = Arc::new(AtomicBool::new(false));
        let transaction = Transaction(Arc::clone(&rolled_back));
        let outcome = guard.run(async move {
            let _transaction = transaction;
            std::future::pending::<()>().await;
        }).await;
        assert!(matches!(outcome, Err(LockError::Lost { .. })), "{outcome:?}");
        assert!(rolled_back.load(Ordering::SeqCst));
        assert_eq!(runtime.lock("free").acquire().await.expect("free").run(async { 7 }).await.expect("held"), 7);
    }

    async fn the_same_task_joins_its_own_hold_and_renews_what_ends_soon(builder: Builder) {
        let runtime = build(builder).await;
        let outer = runtime.lock("k").ttl(4 * SECOND).renew(false).acquire().await.expect("free");
        until("more than half of the lease is used up", async || outer.remaining() < 2 * SECOND).await;
        outer.run(async {
            let inner = runtime.lock("k").wait(Duration::ZERO).acquire().await.expect("joins");
            assert_eq!(inner.fence(), outer.fence());
            assert!(outer.remaining() > 2 * SECOND, "renewed");
            inner.release().await.expect("held");
            outer.ensure_held().expect("the inner release is not the outer one");

            let spawned = runtime.clone();
            let busy = tokio::spawn(async move { spawned.lock("k").try_acquire().await });
            assert!(busy.await.expect("no panic").expect("asked").is_none(), "a spawned task does not join");

            let error = runtime.lock("k").reentrant(false).acquire().await.expect_err("would wait for itself");
            assert!(matches!(error, LockError::WouldDeadlock { .. }), "{error}");
        }).await.expect("held");
        assert!(runtime.lock("k").try_acquire().await.expect("asked").is_none(), "outside of the body it does not join");
    }

    async fn a_hold_lasts_until_the_last_who_joined_it_lets_go(builder: Builder) {
        let runtime = build(builder).await;
        let outer = runtime.lock("k").acquire().await.expect("free");
        let inner = outer.run(async { runtime.lock("k").acquire().await }).await.expect("held").expect("joins");
        outer.release().await.expect("held");
        inner.ensure_held().expect("still in use");
        assert!(runtime.is_locked("k").await.expect("asked"));
        inner.release().await.expect("held");
        assert!(!runtime.is_locked("k").await.expect("asked"));
    }

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

    async fn a_dropped_guard_is_released_at_once(builder: Builder) {
        let runtime = build(builder).await;
        drop(runtime.lock("k").ttl(60 * SECOND).acquire().await.expect("free"));
        until("it is free", async || !runtime.is_locked("k").await.expect("asked")).await;
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
