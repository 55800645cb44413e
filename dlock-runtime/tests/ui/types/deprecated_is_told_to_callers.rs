//! `#[deprecated]` is about calls, and not about generated code.

#![deny(deprecated)]

use dlock_runtime::{LockError, distributed_lock};

#[deprecated = "use `sell`"]
#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

async fn caller() -> Result<u64, LockError> {
    deduct(1).await
}

fn main() {
    let _ = caller;
}
