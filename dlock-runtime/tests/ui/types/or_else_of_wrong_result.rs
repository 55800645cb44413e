//! `or_else` gives the whole return type, not its error.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>", or_else = |err| err.to_string())]
async fn deduct(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
