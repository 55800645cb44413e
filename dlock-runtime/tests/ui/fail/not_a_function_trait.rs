//! The attribute belongs on a method, not on its trait.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
trait Stock {
    async fn deduct(&self, id: u64) -> Result<u64, LockError>;
}

fn main() {}
