//! Numbers and strings in every form that the language has.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = r#"raw:<id>"#, ttl = 1_0, wait = 0x0A, max_hold = 2_5.0)]
async fn raw(id: u8) -> Result<u8, LockError> {
    Ok(id)
}

#[distributed_lock(key = "escaped:\u{e9}:<id>", ttl = 0.5, wait = 0, renew = "100ms")]
async fn escaped(id: u8) -> Result<u8, LockError> {
    Ok(id)
}

#[distributed_lock(key = ("parenthesised:<id>"), ttl = (3), wait = "1m", max_hold = "1d",)]
async fn parenthesised(id: u8) -> Result<u8, LockError> {
    Ok(id)
}

#[distributed_lock(key = "<<literal>>:<id>")]
async fn brackets(id: u8) -> Result<u8, LockError> {
    Ok(id)
}
