//! A parameter that nothing uses is told as without the attribute; one that only the key uses is not.

#![deny(unused_variables)]

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: String, name: String, qty: u32) -> Result<(), LockError> {
    Ok(())
}

fn main() {}
