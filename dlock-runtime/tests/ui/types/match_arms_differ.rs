//! Arms of different types are told at the arm.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    match id {
        0 => Ok(0),
        _ => Some(id),
    }
}

fn main() {}
