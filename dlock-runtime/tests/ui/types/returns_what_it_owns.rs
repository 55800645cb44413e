//! A reference to a parameter that ends with the body is told there.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<name>")]
async fn deduct<'a>(name: String) -> Result<&'a str, LockError> {
    Ok(name.as_str())
}

fn main() {}
