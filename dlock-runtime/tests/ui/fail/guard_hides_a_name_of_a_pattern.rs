//! The guard hides no name that a pattern binds.

use dlock_runtime::{LockError, distributed_lock};

struct Path<T>(T);

#[distributed_lock(key = "stock:<id>", guard = id)]
async fn deduct(Path(id): Path<u64>) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
