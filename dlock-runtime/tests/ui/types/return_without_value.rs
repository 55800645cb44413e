//! A `return` that lacks its value is told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    if id == 0 {
        return;
    }
    Ok(id)
}

fn main() {}
