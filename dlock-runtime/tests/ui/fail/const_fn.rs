//! A `const fn` waits for nothing.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
const fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
