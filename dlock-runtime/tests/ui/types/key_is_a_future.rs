//! A key expression that lacks its `.await` is told.

use dlock_runtime::{LockError, distributed_lock};

async fn name(id: u64) -> String {
    id.to_string()
}

#[distributed_lock(key = name(id))]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
