//! `on_lost` says what becomes of the body.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", on_lost = true)]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
