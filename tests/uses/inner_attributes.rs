//! Inner attributes stay at the head of the function.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "a")]
async fn lenient() -> Result<(), LockError> {
    #![allow(unused_variables)]
    let x = 1;
    Ok(())
}
