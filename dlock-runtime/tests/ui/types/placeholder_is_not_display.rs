//! A value that cannot be printed is told at the template.

use dlock_runtime::{LockError, distributed_lock};

struct Order;

#[distributed_lock(key = "stock:<order>")]
async fn deduct(order: Order) -> Result<(), LockError> {
    let _ = order;
    Ok(())
}

fn main() {}
