//! Lints about the body are told as without the attribute.

#![deny(unused)]

use dlock_runtime::{LockError, distributed_lock};

#[must_use]
fn read() -> u64 {
    1
}

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64, mut qty: u32) -> Result<u32, LockError> {
    let left = id;
    read();
    Ok(qty)
}

fn main() {
    let _ = deduct;
}
