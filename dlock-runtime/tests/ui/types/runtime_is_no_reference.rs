//! `runtime` takes a reference.

use dlock_runtime::{LockError, Runtime, distributed_lock};

#[distributed_lock(key = "stock:<id>", runtime = runtime)]
async fn deduct(id: u64, runtime: Runtime) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
