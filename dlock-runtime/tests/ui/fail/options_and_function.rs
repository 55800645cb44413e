//! What is wrong with an option and with the function is told together.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", tll = 10)]
fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
