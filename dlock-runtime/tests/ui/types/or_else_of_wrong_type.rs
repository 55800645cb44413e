//! `or_else` gives what the function gives.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>", or_else = |err| err.to_string())]
async fn deduct(id: u64) -> u64 {
    id
}

fn main() {}
