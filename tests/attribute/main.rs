//! What annotated functions do when they run, on the embedded store: each option does what its row in the reference says.
//!
//! What the compiler says to mistakes is in `dlock-runtime/tests/ui`.

mod keys;
mod outcomes;
mod scope;
mod shapes;
mod sizes;
mod times;

use dlock_runtime::{LockError, Runtime};
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

fn is_busy(outcome: &Result<impl Sized, LockError>) -> bool {
    matches!(outcome, Err(LockError::Busy { .. }))
}

fn is_lost(outcome: &Result<impl Sized, LockError>) -> bool {
    matches!(outcome, Err(LockError::Lost { .. }))
}
