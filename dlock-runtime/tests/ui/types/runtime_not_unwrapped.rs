//! `runtime` takes the runtime itself.

use dlock_runtime::{LockError, Runtime, distributed_lock};

#[distributed_lock(key = "stock:<id>", runtime = &Runtime::installed())]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
