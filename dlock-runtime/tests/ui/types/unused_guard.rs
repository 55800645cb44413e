//! A guard that the body does not use is told at its name.

#![deny(unused_variables)]

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", guard = lock)]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
