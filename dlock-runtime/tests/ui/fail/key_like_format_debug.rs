//! The habit of `format!`: as text it would be one lock for every call.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:{id:?}")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
