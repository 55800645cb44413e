//! The order of the options does not matter.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(renew = "6s", key = "stock:<id>", ttl = 5)]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
