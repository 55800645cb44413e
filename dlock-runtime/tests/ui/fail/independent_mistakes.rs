//! Mistakes in options, template and function come in one go, and the callers compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<idd>-<qty>", ttl = 0, wiat = 3)]
fn deduct(id: u64, qty: u32) -> Result<u64, LockError> {
    Ok(id + u64::from(qty))
}

fn main() {
    let _: Result<u64, LockError> = deduct(1, 2);
}
