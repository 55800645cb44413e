//! A mistake in the attribute does not turn its callers red.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>", tll = 10)]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

async fn caller() -> Result<u64, LockError> {
    deduct(1).await
}

fn main() {
    let _ = caller;
}
