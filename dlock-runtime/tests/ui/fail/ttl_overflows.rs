//! A `ttl` beyond a year is a slip of the unit.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", ttl = 18446744073709551616)]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
