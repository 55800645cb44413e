//! `#[must_use]` above and below.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[must_use = "look at it"]
#[distributed_lock(key = "above", or_else = |_| 0)]
async fn above() -> u8 {
    1
}

#[distributed_lock(key = "below")]
#[must_use = "look at it"]
async fn below() -> Result<(), LockError> {
    Ok(())
}
