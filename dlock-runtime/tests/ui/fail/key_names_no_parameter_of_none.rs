//! Where there are no parameters, that is said.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn count() -> Result<u32, LockError> {
    Ok(1)
}

fn main() {}
