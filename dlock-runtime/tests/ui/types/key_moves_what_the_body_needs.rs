//! A key expression that moves a parameter is told at the expression.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = name.into_boxed_str())]
async fn deduct(name: String) -> Result<String, LockError> {
    Ok(name)
}

fn main() {}
