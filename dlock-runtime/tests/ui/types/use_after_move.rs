//! A parameter that was moved is told where it is used again.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64, name: String) -> Result<usize, LockError> {
    drop(name);
    Ok(name.len() + id as usize)
}

fn main() {}
