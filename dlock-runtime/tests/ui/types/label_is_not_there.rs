//! A body is no loop, whatever surrounds it.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    if id == 0 {
        break;
    }
    Ok(id)
}

fn main() {}
