//! The habit of `format!`: what is wrong with the braces is no matter then.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:{id}:{qty}")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
