//! No lock lives that long, and Redis adds it to its clock.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", ttl = "366d")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
