//! The attribute goes on the methods below `#[async_trait]`.

use dlock_runtime::distributed_lock;

struct Shop;

#[async_trait::async_trait]
trait Stock {
    async fn deduct(&self, id: u64) -> u64;
}

#[distributed_lock(key = "stock:<id>")]
#[async_trait::async_trait]
impl Stock for Shop {
    async fn deduct(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
