//! An attribute that makes the function blocking goes below.

use dlock_runtime::{LockError, distributed_lock};

#[tokio::main]
#[distributed_lock(key = "main")]
async fn main() -> Result<(), LockError> {
    Ok(())
}
