//! A function that cannot carry the error is told so once, at its return type.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Option<Vec<u64>> {
    Some(vec![id])
}

fn main() {}
