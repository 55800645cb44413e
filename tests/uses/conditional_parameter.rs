//! A parameter that is configured away is not looked for.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "a")]
async fn probed(#[cfg(any())] probe: String, _id: u64) -> Result<(), LockError> {
    Ok(())
}

#[test]
fn compiles_and_runs() {
    let _ = probed;
}
