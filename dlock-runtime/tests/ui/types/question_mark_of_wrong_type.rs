//! `?` in the body is told at the `?`.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    let id: u64 = id.to_string().parse()?;
    Ok(id)
}

fn main() {}
