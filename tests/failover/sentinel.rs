//! The guard is on by itself where sentinels see to failovers.

use dlock_testkit::{Sentinels, eventually_async};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_sentinel_the_guard_is_on_unless_it_is_switched_off() {
    let group = Sentinels::start();
    let builder = || Runtime::builder().sentinel(Sentinels::MASTER, group.urls()).namespace("failover");
    let error = builder().wait(500 * MS).build().await.expect_err("it began a moment ago");
    let opens_in = settling(&error).expect("it says how long");
    assert!(opens_in > 2 * SECOND && opens_in <= 12 * SECOND, "10 s are the default TTL: {opens_in:?}");
    builder().failover_guard(false).wait(500 * MS).build().await.expect("it is off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_no_replica_has_is_kept_when_its_master_is_killed() {
    let mut group = Sentinels::start();
    group.open_guard();
    // Sentinels that cannot agree take several seconds more.
    let builder = || Runtime::builder().sentinel(Sentinels::MASTER, group.urls()).ttl(2 * SOON).wait(2 * SOON);
    let (first, second) = (builder().build().await.expect("open"), builder().build().await.expect("open"));
    group.lag();
    let held = first.lock("k").acquire().await.expect("free");
    group.lose_master();
    let error = second.lock("k").wait(SECOND).acquire().await.expect_err("somebody may have it");
    assert!(settling(&error).is_some_and(|left| left > SOON), "{error:?}");
    eventually_async("it comes back", SOON, async || held.renew().await.is_ok()).await;
    assert_eq!(group.master().raw().last_fence("k"), Some(held.fence()));
    held.release().await.expect("it was never lost");
    let error = second.lock("k").wait(Duration::ZERO).acquire().await.expect_err("nobody knows that it is free");
    assert!(settling(&error).is_some(), "{error:?}");
}
