//! An optional value has no text.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: Option<u64>) -> Result<Option<u64>, LockError> {
    Ok(id)
}

fn main() {}
