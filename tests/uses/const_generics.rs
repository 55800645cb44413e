//! Constant parameters, and expressions of them.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

struct Ring<T, const N: usize>([T; N]);

impl<T: Clone, const N: usize> Ring<T, N> {
    const LENGTH: usize = N;

    #[distributed_lock(key = format!("ring:{}", Self::LENGTH))]
    async fn take<const FIRST: bool>(&self) -> Result<[T; N], LockError> {
        if FIRST {
            return Ok(self.0.clone());
        }
        Ok(self.0.clone())
    }
}

#[distributed_lock(key = "array:<id>")]
async fn default<const N: usize>(id: u8, list: [u8; N]) -> Result<([u8; N], [u8; 2 + 1]), LockError> {
    Ok((list, [id; 3]))
}
