//! A body may call its own function through `Box::pin`.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "tree")]
async fn direct(depth: u8) -> Result<u8, LockError> {
    if depth == 0 {
        return Ok(0);
    }
    Ok(Box::pin(direct(depth - 1)).await? + 1)
}

#[distributed_lock(key = "even:<n>")]
async fn even(n: u8) -> Result<bool, LockError> {
    if n == 0 { Ok(true) } else { Box::pin(odd(n - 1)).await }
}

#[distributed_lock(key = "odd:<n>")]
async fn odd(n: u8) -> Result<bool, LockError> {
    if n == 0 { Ok(false) } else { Box::pin(even(n - 1)).await }
}
