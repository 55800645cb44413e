//! A field that is not there is told at the template.

use dlock_runtime::{LockError, distributed_lock};

struct Order {
    name: String,
}

#[distributed_lock(key = "stock:<order.sku>")]
async fn deduct(order: Order) -> Result<String, LockError> {
    Ok(order.name)
}

fn main() {}
