//! The attribute goes on each method.

use dlock_runtime::{LockError, distributed_lock};

struct Stock;

#[distributed_lock(key = "stock")]
impl Stock {
    async fn deduct(&self) -> Result<u64, LockError> {
        Ok(1)
    }
}

fn main() {}
