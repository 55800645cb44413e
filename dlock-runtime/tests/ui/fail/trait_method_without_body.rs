//! A declaration runs nothing.

use dlock_runtime::{LockError, distributed_lock};

trait Stock {
    #[distributed_lock(key = "stock:<id>")]
    async fn deduct(&self, id: u64) -> Result<u64, LockError>;
}

fn main() {}
