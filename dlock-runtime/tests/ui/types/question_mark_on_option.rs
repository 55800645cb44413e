//! `?` on an `Option` is told at the `?`.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    let left = id.checked_sub(1)?;
    Ok(left)
}

fn main() {}
