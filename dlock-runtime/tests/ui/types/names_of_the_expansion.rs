//! The names of generated code are not there for the body.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    drop((__lock, __key));
    Ok(id)
}

fn main() {}
