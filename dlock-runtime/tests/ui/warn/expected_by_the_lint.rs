//! The warnings are the lint `deprecated`, so that `#[allow]` and `#[expect]` know them, and one that is not there is told.

#![deny(warnings)]

use dlock_runtime::{LockError, distributed_lock};

#[expect(deprecated)]
#[distributed_lock(key = "a")]
async fn expected() -> Result<(), LockError> {
    tokio::spawn(std::future::ready(()));
    Ok(())
}

#[expect(deprecated)]
#[distributed_lock(key = "a", warn = false)]
async fn expected_for_nothing() -> Result<(), LockError> {
    tokio::spawn(std::future::ready(()));
    Ok(())
}

fn main() {
    let _ = (expected, expected_for_nothing);
}
