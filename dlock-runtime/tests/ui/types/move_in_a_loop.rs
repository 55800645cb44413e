//! A parameter that a loop moves is told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<name>")]
async fn deduct(name: String) -> Result<(), LockError> {
    for _ in 0..2 {
        drop(name);
    }
    Ok(())
}

fn main() {}
