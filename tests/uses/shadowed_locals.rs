//! Parameters may be called like the locals of generated code, and like options.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::time::Duration;

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<key>:<__key>", ttl = ttl, wait = wait, when = __when > 0, or_else = |_| key)]
async fn locals(
    key: u8,
    __key: u8,
    __when: u8,
    __lock: u8,
    __options: u8,
    __fail: String,
    __or_else: String,
    __err: &str,
    __output: Vec<u8>,
    ttl: Duration,
    wait: Duration,
) -> u8 {
    let __when = __when + __lock + __options;
    key + __key + __when + (__fail + &__or_else + __err).len() as u8 + __output.len() as u8
}

#[distributed_lock(key = "<guard>", guard = __lock)]
async fn guard(guard: u8) -> Result<u64, LockError> {
    Ok(__lock.fence() + u64::from(guard))
}

#[distributed_lock(key = "<self_>", guard = r#type)]
async fn raw(self_: u8) -> Result<u64, LockError> {
    Ok(r#type.fence() + u64::from(self_))
}
