//! The habit of `format!`: as text it would be one lock for every call.

use dlock_runtime::{LockError, distributed_lock};

struct Order {
    id: u64,
}

#[distributed_lock(key = "stock:{order.id}")]
async fn deduct(order: Order) -> Result<u64, LockError> {
    Ok(order.id)
}

fn main() {}
