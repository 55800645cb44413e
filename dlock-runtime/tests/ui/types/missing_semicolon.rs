//! A statement without its semicolon is told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    if id > 1 {
        id + 1
    }
    Ok(id)
}

fn main() {}
