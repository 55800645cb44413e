//! A parameter that lacks `mut` is told at the change.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64, qty: u32) -> Result<u32, LockError> {
    qty += 1;
    Ok(qty + id as u32)
}

fn main() {}
