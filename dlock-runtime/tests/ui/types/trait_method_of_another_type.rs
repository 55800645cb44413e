//! A method that differs from its trait is told at its signature.

use dlock_runtime::{LockError, distributed_lock};

trait Stock {
    async fn deduct(&self, id: u64) -> Result<u32, LockError>;
}

struct Shop;

impl Stock for Shop {
    #[distributed_lock(key = "stock:<id>")]
    async fn deduct(&self, id: u64) -> Result<u64, LockError> {
        Ok(id)
    }
}

fn main() {}
