//! The error type must take a `LockError`.

use dlock_runtime::distributed_lock;

struct StockError;

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, StockError> {
    Ok(id)
}

fn main() {}
