//! An `unsafe` function is called in `unsafe`, also under the attribute.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async unsafe fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

async fn caller() -> Result<u64, LockError> {
    deduct(1).await
}

fn main() {
    let _ = caller;
}
