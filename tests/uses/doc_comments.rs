//! Documentation stays with the function: nothing is missing under `missing_docs`.

#![deny(missing_docs, rustdoc::all)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

/// Documented above.
#[distributed_lock(key = "a")]
pub async fn above() -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "a")]
/// Documented below.
pub async fn below() -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "a")]
pub async fn inside() -> Result<(), LockError> {
    //! Documented inside.
    Ok(())
}

/// Documented.
pub trait Stock {
    /// Documented.
    #[distributed_lock(key = "a")]
    #[allow(async_fn_in_trait)]
    async fn method(&self) -> Result<(), LockError> {
        Ok(())
    }
}
