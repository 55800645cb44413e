//! A field that is not visible is told at the template.

use dlock_runtime::{LockError, distributed_lock};

mod shop {
    pub struct Order {
        sku: u64,
    }
}

#[distributed_lock(key = "stock:<order.sku>")]
async fn deduct(order: shop::Order) -> Result<(), LockError> {
    drop(order);
    Ok(())
}

fn main() {}
