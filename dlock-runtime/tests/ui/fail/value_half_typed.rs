//! A value that ends too early is pointed at, and reading goes on after it.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", ttl = 2 *, wiat = 3)]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
