//! A `return` in a closure is the closure's, and told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    let check = |id: u64| -> bool {
        return Err("closed");
    };
    Ok(u64::from(check(id)))
}

fn main() {}
