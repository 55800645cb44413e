//! An opaque type cannot carry the error.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> impl std::fmt::Display {
    id
}

fn main() {}
