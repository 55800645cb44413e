//! A foreign interface cannot wait.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
extern "C" fn deduct(id: u64) -> u64 {
    id
}

fn main() {}
