//! A conflict with a parameter behind a reference is told in the body.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock")]
async fn deduct(names: &mut Vec<String>) -> Result<(), LockError> {
    for name in names.iter() {
        names.push(name.clone());
    }
    Ok(())
}

fn main() {}
