//! A raw string is a template like any other.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = r#"stock:<idd>"#)]
async fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {}
