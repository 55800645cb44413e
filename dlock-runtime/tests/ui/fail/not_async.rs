//! Waiting for a lock is async.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
