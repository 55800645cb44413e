//! A last expression without `Ok` is told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    id
}

fn main() {}
