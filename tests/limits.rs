//! Times and bounds at their ends: what is too little or too much is refused with the limit, and the longest time that there
//! is means "for ever". (In a release build, where an overflow would go unnoticed, these tests say the same.)

use std::time::Duration;

use dlock_runtime::{Builder, LockError, LockRequest, MaxHold, Renew, Runtime, Wait, distributed_lock};
use dlock_testkit::{RedisServer, eventually_async, with_turns};
use tokio::time::timeout;

const MAX: Duration = Duration::MAX;
const MS: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const NANO: Duration = Duration::from_nanos(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const LONG: Duration = Duration::from_secs(20);
/// Long enough for what ends at once to have ended.
const A_MOMENT: Duration = Duration::from_millis(100);

fn embedded(namespace: &str) -> Builder {
    Runtime::builder().turns(with_turns()).embedded().namespace(namespace)
}

fn redis(namespace: &str) -> Builder {
    Runtime::builder().turns(with_turns()).redis(RedisServer::shared().url()).namespace(namespace)
}

/// What is said of a mistake.
fn reason<T>(outcome: Result<T, LockError>) -> Option<String> {
    match outcome {
        Ok(_) => None,
        Err(LockError::Config { reason, .. }) => Some(reason.to_string()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_builder_cannot_do_is_refused_with_the_limit() {
    type Change = fn(Builder) -> Builder;
    let refused: &[(Change, &str)] = &[
        (|builder| builder.ttl(20 * MS - NANO), "ttl is 19.999999ms, and it must be at least 20ms"),
        (|builder| builder.ttl(Duration::ZERO), "at least 20ms"),
        (|builder| builder.ttl(YEAR + NANO), "at most 365 days"),
        (|builder| builder.ttl(MAX), "at most 365 days"),
        (|builder| builder.renew(MS - NANO), "renew is 999.999µs, and it must be at least 1ms"),
        (|builder| builder.ttl(100 * MS).renew(97 * MS), "renew is 97ms, and it must be shorter than 97ms"),
        (|builder| builder.renew(MAX), "must be shorter than 9.898s"),
        (|builder| builder.max_hold(Duration::ZERO), "max_hold is zero"),
        (|builder| builder.command_timeout(Duration::ZERO), "command_timeout is 0ns, and it must be at least 1ms"),
        (|builder| builder.command_timeout(MS - NANO), "at least 1ms"),
        (|builder| builder.warn_after(Duration::ZERO), "warn_after is zero"),
        (|builder| builder.waiters(0), "waiters is 0, and it must be at least 1"),
        (|builder| builder.waiters_per_key(0), "waiters_per_key is 0, and it must be at least 1"),
        (|builder| builder.namespace("n".repeat(257)), "the namespace has 257 bytes, and at most 256"),
        (|builder| builder.namespace("a\nb"), "the namespace holds a control character"),
        (|builder| builder.namespace("{"), "braces of the namespace"),
        (|builder| builder.namespace("a}b"), "braces of the namespace"),
        (|builder| builder.namespace("{}"), "braces of the namespace"),
        (|builder| builder.namespace("{a}{b}"), "braces of the namespace"),
    ];
    for (change, said) in refused {
        let reason = reason(change(embedded("refused")).build().await).unwrap_or_else(|| panic!("accepted: {said}"));
        assert!(reason.contains(said), "{reason:?} does not say {said:?}");
    }
    // The negative control: the next value is taken.
    let accepted: &[Change] = &[
        |builder| builder.ttl(20 * MS),
        |builder| builder.ttl(YEAR),
        |builder| builder.renew(MS),
        |builder| builder.ttl(100 * MS).renew(97 * MS - NANO),
        |builder| builder.max_hold(NANO),
        |builder| builder.command_timeout(MS),
        |builder| builder.warn_after(NANO),
        |builder| builder.waiters(1),
        |builder| builder.waiters_per_key(1),
        |builder| builder.wait(Duration::ZERO).linger(Duration::ZERO).yield_after(0, Duration::ZERO),
        |builder| builder.namespace("n".repeat(256)),
        |builder| builder.namespace("{shop}"),
    ];
    for (number, change) in accepted.iter().enumerate() {
        let runtime = change(embedded("accepted")).build().await;
        assert!(runtime.is_ok(), "number {number}: {runtime:?}");
    }
}

#[tokio::test]
async fn what_a_request_cannot_have_is_refused_with_the_limit() {
    let runtime = embedded("requests").build().await.expect("a runtime");
    type Change = fn(LockRequest) -> LockRequest;
    let refused: &[(Change, &str)] = &[
        (|request| request.ttl(MAX), "at most 365 days"),
        (|request| request.ttl(20 * MS - NANO), "at least 20ms"),
        (|request| request.renew(MAX), "shorter than"),
        (|request| request.max_hold(Duration::ZERO), "max_hold is zero"),
        (|request| request.renew(false).max_hold(MAX), "max_hold is longer than ttl"),
    ];
    for (change, said) in refused {
        let reason = reason(change(runtime.lock("k")).acquire().await).unwrap_or_else(|| panic!("accepted: {said}"));
        assert!(reason.contains(said), "{reason:?} does not say {said:?}");
    }
    let longest = runtime.lock("k").ttl(YEAR).wait(MAX).max_hold(MAX).renew(YEAR / 2);
    longest.acquire().await.expect("free").release().await.expect("held");
}

/// All that can be set, as long as it can be.
fn the_longest(builder: Builder) -> Builder {
    builder
        .ttl(YEAR)
        .wait(MAX)
        .max_hold(MAX)
        .renew(Renew::Auto)
        .command_timeout(MAX)
        .warn_after(MAX)
        .linger(MAX)
        .yield_after(u32::MAX, MAX)
        .waiters(usize::MAX)
        .waiters_per_key(usize::MAX)
}

async fn the_longest_times_wait_and_end_when_they_should(builder: Builder) {
    let eye = builder.clone().build().await.expect("a runtime");
    let [one, other] = [builder.clone(), builder].map(the_longest);
    let one = timeout(LONG, one.build()).await.expect("in time").expect("a runtime");
    let other = timeout(LONG, other.build()).await.expect("in time").expect("a runtime");

    let guard = one.lock("k").acquire().await.expect("free");
    assert!(guard.remaining() > YEAR / 2, "{:?}", guard.remaining());
    guard.renew().await.expect("held");

    // Tasks of this runtime and of another one wait, and so does who only looks.
    let waits = |runtime: &Runtime, wait: Wait| {
        let request = runtime.lock("k").wait(wait);
        tokio::spawn(async move { request.acquire().await })
    };
    let mut tasks = [waits(&one, Wait::For(MAX)), waits(&other, Wait::For(MAX)), waits(&other, Wait::Forever)];
    for task in &mut tasks {
        assert!(timeout(A_MOMENT, task).await.is_err(), "it did not wait");
    }
    let looks = tokio::spawn({
        let eye = eye.clone();
        async move { eye.wait_until_free("k", MAX).await }
    });
    let ending = tokio::spawn({
        let held = other.lock("another").acquire().await.expect("free");
        async move { timeout(A_MOMENT, held.run(std::future::pending::<()>())).await.is_err() }
    });
    assert!(ending.await.expect("no panic"), "a body that runs on is not ended");
    assert!(!looks.is_finished(), "it did not wait");

    // A release that waits for its answer as long as it takes was the one that panicked.
    timeout(LONG, guard.release()).await.expect("in time").expect("held");
    for task in tasks {
        let guard = timeout(LONG, task).await.expect("in time").expect("no panic").expect("a turn");
        timeout(LONG, guard.release()).await.expect("in time").expect("held");
    }

    let held = other.lock("last").acquire().await.expect("free");
    let mut ends = tokio::spawn({
        let other = other.clone();
        async move { other.shutdown(MAX).await }
    });
    assert!(timeout(A_MOMENT, &mut ends).await.is_err(), "a shutdown waits for who is at work");
    drop(held);
    assert!(timeout(LONG, ends).await.expect("in time").expect("no panic"), "something was left behind");
    assert!(timeout(LONG, one.shutdown(MAX)).await.expect("in time"), "something was left behind");
    assert!(timeout(LONG, looks).await.expect("in time").expect("no panic").expect("asked"));
}

#[tokio::test]
async fn the_longest_times_on_the_embedded_store() {
    the_longest_times_wait_and_end_when_they_should(embedded("longest")).await;
}

#[tokio::test]
async fn the_longest_times_on_redis() {
    the_longest_times_wait_and_end_when_they_should(redis("longest")).await;
}

/// A hold that may last for ever is not ended, and one of a nanosecond is.
#[tokio::test]
async fn the_longest_hold_is_one_without_a_bound() {
    let runtime = embedded("holds").ttl(500 * MS).build().await.expect("a runtime");
    for bound in [MaxHold::For(MAX), MaxHold::Unbounded] {
        let guard = runtime.lock("k").max_hold(bound).acquire().await.expect("free");
        // It is renewed after a third of its TTL.
        let (mut left, mut renewals) = (guard.remaining(), 0);
        eventually_async("it is renewed for longer than its TTL", LONG, async || {
            let before = std::mem::replace(&mut left, guard.remaining());
            renewals += u32::from(before < left);
            renewals == 6
        })
        .await;
        assert!(guard.is_held(), "{bound:?}");
        guard.release().await.expect("held");
    }
    let guard = runtime.lock("k").max_hold(NANO).acquire().await.expect("free");
    eventually_async("it is over", LONG, async || !guard.is_held()).await;
}

#[distributed_lock(key = "k", ttl = ttl, wait = MAX, renew = renew, max_hold = MAX, runtime = locks)]
async fn times_of_expressions(locks: &Runtime, ttl: Duration, renew: Renew) -> Result<(), LockError> {
    Ok(())
}

/// Of what only the program knows the attribute says as little as it must.
#[tokio::test]
async fn expressions_of_an_annotated_function_have_the_same_limits() {
    let runtime = embedded("expressions").build().await.expect("a runtime");
    for (ttl, renew, said) in [
        (MAX, Renew::Auto, "at most 365 days"),
        (20 * MS - NANO, Renew::Auto, "at least 20ms"),
        (YEAR, Renew::Every(MAX), "shorter than"),
        (YEAR, Renew::Off, "max_hold is longer than ttl"),
    ] {
        let reason = reason(times_of_expressions(&runtime, ttl, renew).await).unwrap_or_else(|| panic!("{said}"));
        assert!(reason.contains(said), "{reason:?} does not say {said:?}");
    }
    times_of_expressions(&runtime, YEAR, Renew::Auto).await.expect("free");
    let held = runtime.lock("k").acquire().await.expect("free");
    let waits = times_of_expressions(&runtime, YEAR, Renew::Every(YEAR / 2));
    let mut waits = std::pin::pin!(waits);
    assert!(timeout(A_MOMENT, &mut waits).await.is_err(), "it did not wait");
    drop(held);
    timeout(LONG, waits).await.expect("in time").expect("a turn");
}
