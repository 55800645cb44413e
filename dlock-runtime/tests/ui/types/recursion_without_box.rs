//! An `async fn` that calls itself needs `Box::pin`, with the attribute as without.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    if id == 0 {
        return Ok(0);
    }
    deduct(id - 1).await
}

fn main() {}
