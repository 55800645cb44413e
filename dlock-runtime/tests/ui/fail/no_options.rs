//! A lock needs a key; without brackets there is none.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
