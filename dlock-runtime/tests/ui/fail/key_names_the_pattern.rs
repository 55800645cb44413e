//! A placeholder names what a pattern binds, not the pattern.

use dlock_runtime::{LockError, distributed_lock};

struct Path<T>(T);

#[distributed_lock(key = "stock:<path>")]
async fn deduct(Path(id): Path<u64>) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
