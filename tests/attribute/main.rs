//! What annotated functions do when they run, on the embedded store: each option does what its row in the reference says.
//!
//! What the compiler says to mistakes is in `dlock-runtime/tests/ui`.

mod company;
mod drops;
mod flow;
mod keys;
mod names;
mod outcomes;
mod scope;
mod shapes;
mod signatures;
mod sizes;
mod times;

use dlock_runtime::{LockError, Runtime};
use std::future::Future;
use std::time::Duration;

/// Locks of one test: the embedded store is one for the process, so tests are kept apart by their namespaces.
async fn locks(test: &str) -> Runtime {
    let builder = Runtime::builder().embedded().namespace(test).wait(Duration::from_millis(50));
    builder.build().await.expect("the embedded store needs nothing")
}

async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Whether somebody holds this key.
async fn locked(locks: &Runtime, key: &str) -> bool {
    locks.is_locked(key).await.expect("the embedded store answers")
}

/// What the functions here return: whether the lock was held in the body, and a value.
type Held<T> = Result<(bool, T), LockError>;

/// Runs a call and looks at the lock at its three moments: it is free before, held in the body, free afterwards.
async fn during<T>(locks: &Runtime, key: &str, call: impl Future<Output = Held<T>>) -> T {
    assert!(!locked(locks, key).await, "`{key}` was not free before");
    let (held, value) = call.await.expect("the lock is free");
    assert!(held, "`{key}` was not held in the body");
    assert!(!locked(locks, key).await, "`{key}` was not released");
    value
}

#[tokio::test]
async fn the_check_of_the_three_moments_can_fail() {
    let locks = locks("during").await;
    let fails = |locks: Runtime, key: &'static str, held: bool| async move {
        tokio::spawn(async move { during(&locks, key, async { Ok((held, ())) }).await }).await.is_err()
    };
    assert!(!fails(locks.clone(), "a", true).await);
    assert!(fails(locks.clone(), "a", false).await);
    let held = locks.lock("a").acquire().await.expect("it is free");
    assert!(fails(locks.clone(), "a", true).await);
    held.release().await.expect("it is held");
}

fn is_busy(outcome: &Result<impl Sized, LockError>) -> bool {
    matches!(outcome, Err(LockError::Busy { .. }))
}

fn is_lost(outcome: &Result<impl Sized, LockError>) -> bool {
    matches!(outcome, Err(LockError::Lost { .. }))
}
