//! An expected lint is met by the body, as without the attribute.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[expect(unused_variables, reason = "to be met")]
#[distributed_lock(key = "above")]
async fn above(unused: String) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "below")]
#[expect(unused_mut, unused_variables, reason = "to be met")]
async fn below(mut not_changed: String) -> Result<(), LockError> {
    let local = 1;
    Ok(())
}

#[distributed_lock(key = "inside")]
async fn inside() -> Result<(), LockError> {
    #[expect(unused_variables, reason = "to be met")]
    let local = 1;
    Ok(())
}
