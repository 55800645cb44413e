//! `ttl`, `wait`, `renew`, `max_hold` and `on_lost`.

use crate::{is_busy, is_lost, locks, pause};
use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Remaining = Result<Duration, LockError>;

#[distributed_lock(key = "ttl", runtime = locks, guard = lock)]
async fn ttl_of_the_builder(locks: &Runtime) -> Remaining {
    Ok(lock.remaining())
}

#[distributed_lock(key = "ttl", runtime = locks, guard = lock, ttl = 3)]
async fn ttl_in_seconds(locks: &Runtime) -> Remaining {
    Ok(lock.remaining())
}

#[distributed_lock(key = "ttl", runtime = locks, guard = lock, ttl = 4.5)]
async fn ttl_in_parts_of_a_second(locks: &Runtime) -> Remaining {
    Ok(lock.remaining())
}

#[distributed_lock(key = "ttl", runtime = locks, guard = lock, ttl = "5500ms")]
async fn ttl_with_unit(locks: &Runtime) -> Remaining {
    Ok(lock.remaining())
}

#[distributed_lock(key = "ttl", runtime = locks, guard = lock, ttl = ttl * 2)]
async fn ttl_by_expression(locks: &Runtime, ttl: Duration) -> Remaining {
    Ok(lock.remaining())
}

#[tokio::test]
async fn ttl_is_how_long_the_lease_lasts() -> Result<(), LockError> {
    let locks = locks("ttl").await;
    for (remaining, ttl) in [
        (ttl_of_the_builder(&locks).await?, 10.0),
        (ttl_in_seconds(&locks).await?, 3.0),
        (ttl_in_parts_of_a_second(&locks).await?, 4.5),
        (ttl_with_unit(&locks).await?, 5.5),
        (ttl_by_expression(&locks, Duration::from_secs(3)).await?, 6.0),
    ] {
        let remaining = remaining.as_secs_f64();
        assert!(remaining <= ttl && remaining > ttl - 0.5, "{remaining} of {ttl}");
    }
    Ok(())
}

#[distributed_lock(key = "wait", runtime = locks, wait = 0)]
async fn try_once(locks: &Runtime) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "wait", runtime = locks, wait = "300ms")]
async fn wait_a_little(locks: &Runtime) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "wait", runtime = locks, wait = "forever")]
async fn wait_forever(locks: &Runtime) -> Result<(), LockError> {
    Ok(())
}

#[tokio::test]
async fn wait_bounds_the_waiting() -> Result<(), LockError> {
    let impatient = locks("wait").await;
    let patient = Runtime::builder().embedded().namespace("wait").wait(Duration::from_secs(60)).build().await?;
    let held = impatient.lock("wait").acquire().await?;

    let start = Instant::now();
    assert!(is_busy(&try_once(&patient).await));
    assert!(is_busy(&wait_a_little(&patient).await));
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(290) && waited < Duration::from_secs(20), "{waited:?}");

    let (waited, released) = tokio::join!(wait_forever(&impatient), async {
        pause(600).await;
        held.release().await
    });
    released?;
    waited
}

// The times below leave half a second for a machine that is busy with other things.

#[distributed_lock(key = "renew:1", runtime = locks, ttl = "800ms")]
async fn renewed(locks: &Runtime) -> Result<(), LockError> {
    pause(2_000).await;
    Ok(())
}

#[distributed_lock(key = "renew:2", runtime = locks, ttl = "800ms", renew = "100ms")]
async fn renewed_often(locks: &Runtime) -> Result<(), LockError> {
    pause(2_000).await;
    Ok(())
}

#[distributed_lock(key = "renew:3", runtime = locks, ttl = "800ms", renew = false)]
async fn never_renewed(locks: &Runtime) -> Result<(), LockError> {
    pause(2_000).await;
    Ok(())
}

#[distributed_lock(key = "renew:<renew>", runtime = locks, ttl = "800ms", renew = renew)]
async fn renewed_by_expression(locks: &Runtime, renew: bool) -> Result<(), LockError> {
    pause(2_000).await;
    Ok(())
}

#[tokio::test]
async fn an_explicit_ttl_is_renewed_unless_renew_is_false() -> Result<(), LockError> {
    let locks = locks("renew").await;
    let (by_default, often, never, on, off) = tokio::join!(
        renewed(&locks),
        renewed_often(&locks),
        never_renewed(&locks),
        renewed_by_expression(&locks, true),
        renewed_by_expression(&locks, false),
    );
    by_default?;
    often?;
    on?;
    assert!(is_lost(&never) && is_lost(&off), "{never:?} {off:?}");
    Ok(())
}

#[distributed_lock(key = "max_hold", runtime = locks, ttl = 1, max_hold = "300ms")]
async fn held_for_long(locks: &Runtime) -> Result<(), LockError> {
    pause(60_000).await;
    Ok(())
}

#[distributed_lock(key = "max_hold", runtime = locks, ttl = 1)]
async fn held_as_the_builder_allows(locks: &Runtime) -> Result<(), LockError> {
    pause(1_500).await;
    Ok(())
}

#[distributed_lock(key = "max_hold", runtime = locks, ttl = 1, max_hold = "unbounded")]
async fn held_without_bound(locks: &Runtime) -> Result<(), LockError> {
    pause(1_500).await;
    Ok(())
}

#[tokio::test]
async fn max_hold_ends_what_is_stuck() -> Result<(), LockError> {
    let builder = Runtime::builder().embedded().namespace("max_hold");
    let locks = builder.max_hold(Duration::from_millis(300)).build().await?;
    let start = Instant::now();
    assert!(is_lost(&held_for_long(&locks).await));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(is_lost(&held_as_the_builder_allows(&locks).await));
    held_without_bound(&locks).await
}

static ENDED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

#[distributed_lock(key = "on_lost", runtime = locks, ttl = "100ms", renew = false, on_lost = cancel)]
async fn cancelled(locks: &Runtime) -> Result<u8, LockError> {
    pause(400).await;
    ENDED[0].store(true, Ordering::SeqCst);
    Ok(1)
}

#[distributed_lock(key = "on_lost", runtime = locks, ttl = "100ms", renew = false, on_lost = finish)]
async fn finished(locks: &Runtime) -> Result<u8, LockError> {
    pause(400).await;
    ENDED[1].store(true, Ordering::SeqCst);
    Ok(1)
}

#[tokio::test]
async fn on_lost_drops_the_body_or_lets_it_end() -> Result<(), LockError> {
    let locks = locks("on_lost").await;
    assert!(is_lost(&cancelled(&locks).await));
    assert!(!ENDED[0].load(Ordering::SeqCst), "dropped at its await");
    assert_eq!(finished(&locks).await?, 1);
    assert!(ENDED[1].load(Ordering::SeqCst));
    Ok(())
}
