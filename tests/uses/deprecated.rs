//! A deprecated function may be annotated, and may call itself.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[deprecated(since = "1.0.0", note = "use another")]
#[distributed_lock(key = "above")]
async fn above(depth: u8) -> Result<(), LockError> {
    if depth > 0 {
        return Box::pin(above(depth - 1)).await;
    }
    Ok(())
}

#[distributed_lock(key = "below")]
#[deprecated]
async fn below() -> Result<(), LockError> {
    Ok(())
}
