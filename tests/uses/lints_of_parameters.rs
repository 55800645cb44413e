//! What a parameter's attributes say to the lints holds for the name in the body as well.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "a:<id>")]
async fn allowed(#[allow(unused_variables)] unused: String, id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "a:<id>")]
async fn expected(#[expect(unused_variables)] unused: String, id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "a:<id>")]
async fn expected_of_a_number(#[expect(unused_variables)] unused: u8, id: u64) -> Result<u64, LockError> {
    Ok(id)
}
