//! More than a hundred years is a mistake in the unit.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", wait = "99999999999999999999h")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
