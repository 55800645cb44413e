//! A generic placeholder needs its bound.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct<T>(id: T) -> Result<T, LockError> {
    Ok(id)
}

fn main() {}
