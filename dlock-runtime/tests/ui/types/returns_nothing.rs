//! A function that cannot carry the error is told so at its name.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) {
    let _ = id;
}

fn main() {}
