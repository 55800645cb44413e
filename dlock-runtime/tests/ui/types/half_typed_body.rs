//! A body that is half typed is told by the compiler alone.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    let left = id.
    Ok(left)
}

fn main() {}
