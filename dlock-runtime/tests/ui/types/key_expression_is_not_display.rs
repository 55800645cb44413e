//! A key that cannot be printed is told at the expression.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = Some(id))]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
