//! A body without its last expression is told at the body.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok::<u64, LockError>(id);
}

fn main() {}
