//! `#[tokio::test]` goes below.

use dlock_runtime::distributed_lock;

#[tokio::test]
#[distributed_lock(key = "test")]
async fn deducts() -> Result<(), dlock_runtime::LockError> {
    Ok(())
}

fn main() {}
