//! A key that is too long with any value is told.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:stock:<id>")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
