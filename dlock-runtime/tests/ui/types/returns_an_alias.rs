//! A return type behind an alias is told like any other.

use dlock_runtime::distributed_lock;

type Left = Option<u64>;

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Left {
    Some(id)
}

fn main() {}
