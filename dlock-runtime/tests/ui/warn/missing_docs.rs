//! The line about the lock is no documentation of the author's: a function without any is still told to be undocumented.

#![deny(missing_docs)]

use dlock_runtime::{LockError, distributed_lock};

/// Documented.
#[distributed_lock(key = "a:<id>", ttl = 10)]
pub async fn documented(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "a:<id>", ttl = 10)]
pub async fn undocumented(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

fn main() {}
