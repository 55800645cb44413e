//! A wrong type in the body is told at the body's token.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    if id == 0 {
        return Ok("none");
    }
    Ok(id)
}

fn main() {}
