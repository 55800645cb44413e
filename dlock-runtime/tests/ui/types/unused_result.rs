//! The result of an annotated function is used, as any `Result`.

#![deny(unused_must_use)]

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

async fn caller() {
    deduct(1).await;
    deduct(2);
}

fn main() {
    let _ = caller;
}
