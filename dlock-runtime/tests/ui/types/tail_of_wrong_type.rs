//! A wrong type in the last expression is told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    let left = id.to_string();
    Ok(left)
}

fn main() {}
