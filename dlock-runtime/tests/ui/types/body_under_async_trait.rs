//! A wrong type in a boxed body is told at its token.

use dlock_runtime::{LockError, distributed_lock};

#[async_trait::async_trait]
trait Stock {
    async fn deduct(&self, id: u64) -> Result<u64, LockError>;
}

struct Shop;

#[async_trait::async_trait]
impl Stock for Shop {
    #[distributed_lock(key = "stock:<id>")]
    async fn deduct(&self, id: u64) -> Result<u64, LockError> {
        Ok(id.to_string())
    }
}

fn main() {}
