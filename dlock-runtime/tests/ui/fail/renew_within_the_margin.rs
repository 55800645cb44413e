//! The holder counts the lock as lost a little before its `ttl`.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", ttl = 2, renew = "1978ms")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
