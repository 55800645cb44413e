//! A template stands alone: inside of an expression its placeholders would stay as they are.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = concat!("stock:", "<id>"))]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
