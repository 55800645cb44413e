//! Parameters that only the key uses, or only an option, are used.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<name>:<id>", when = really, ttl = ttl)]
async fn only_key(name: String, id: u64, really: bool, ttl: std::time::Duration) -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "<name>")]
async fn in_a_format_string(name: String) -> Result<String, LockError> {
    Ok(format!("{name}"))
}
