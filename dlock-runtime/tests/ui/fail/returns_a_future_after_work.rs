//! What a function does before it makes its future would be done without the lock.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
fn deduct(id: u64) -> impl Future<Output = Result<u64, LockError>> {
    let id = id + 1;
    async move { Ok(id) }
}

fn main() {}
