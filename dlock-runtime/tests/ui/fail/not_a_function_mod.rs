//! The attribute belongs on a function, not on its module.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
mod stock {
    pub async fn deduct(id: u64) -> u64 {
        id
    }
}

fn main() {}
