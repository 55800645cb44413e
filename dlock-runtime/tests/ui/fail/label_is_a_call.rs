//! Labels are few, so they are not made for each call.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", label = format!("stock:{id}"))]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
