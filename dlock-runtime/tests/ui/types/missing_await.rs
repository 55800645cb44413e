//! A future that is not awaited is told where it is used.

use dlock_runtime::{LockError, distributed_lock};

async fn read(id: u64) -> u64 {
    id
}

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    let left: u64 = read(id);
    Ok(left)
}

fn main() {}
