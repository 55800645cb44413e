//! What holding is: renewal, its end, bodies, and tasks that join their own hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dlock_runtime::{Builder, LockError, LostReason, MaxHold, Runtime};
use dlock_testkit::{Cluster, RedisServer, Sentinels, with_turns};

use crate::{MS, SECOND, build, until, until_lost};

on_each_store! {
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
        until("some of the lease is used up", async || guard.remaining() < Duration::from_millis(9_500)).await;
        guard.renew().await.expect("held");
        assert!(guard.remaining() > Duration::from_millis(9_500), "{:?}", guard.remaining());
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

    async fn a_dropped_guard_is_released_at_once(builder: Builder) {
        let runtime = build(builder).await;
        drop(runtime.lock("k").ttl(60 * SECOND).acquire().await.expect("free"));
        until("it is free", async || !runtime.is_locked("k").await.expect("asked")).await;
    }
}

/// Sets a flag when it is dropped, as a transaction rolls back.
struct Transaction(Arc<AtomicBool>);

impl Drop for Transaction {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
