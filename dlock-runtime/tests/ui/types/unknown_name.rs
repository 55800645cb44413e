//! A name that is not there is told in the body.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id + quantity)
}

fn main() {}
