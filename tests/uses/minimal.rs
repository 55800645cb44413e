//! One option is enough.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

#[test]
fn compiles_and_runs() {
    let _ = deduct;
}
