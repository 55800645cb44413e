//! `or_else` is called with the error.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>", or_else = 0)]
async fn deduct(id: u64) -> u64 {
    id
}

fn main() {}
