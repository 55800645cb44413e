//! An `unsafe` function keeps its word, and its body its own `unsafe` blocks.

#![deny(unsafe_op_in_unsafe_fn)]

use dlock_runtime::{LockError, distributed_lock};

/// # Safety
/// `value` is valid.
#[distributed_lock(key = "unsafe")]
pub async unsafe fn reads(value: &'static u8) -> Result<u8, LockError> {
    let value: *const u8 = value;
    // SAFETY: The caller promised it.
    Ok(unsafe { *value })
}

#[test]
fn compiles_and_runs() {
    // SAFETY: A constant is valid.
    let _ = unsafe { reads(&1) };
}
