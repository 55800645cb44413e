//! A decimal point is a point.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", ttl = "1,5s")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
