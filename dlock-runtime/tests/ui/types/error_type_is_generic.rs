//! A generic error needs its bound.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
async fn deduct<E>(id: u64) -> Result<u64, E> {
    Ok(id)
}

fn main() {}
