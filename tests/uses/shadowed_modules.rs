//! Modules called `core`, `std`, `dlock_runtime` and `__rt`, also as the names of values.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

mod core {}
mod std {}
mod __rt {}

mod shop {
    mod dlock_runtime {}
    mod core {
        pub mod result {
            pub enum Result {}
        }
    }

    #[::dlock_runtime::distributed_lock(key = "a", ttl = 1)]
    pub async fn inside() -> Result<(), ::dlock_runtime::LockError> {
        Ok(())
    }
}

#[distributed_lock(key = "a:<core>/<std>", wait = 2)]
async fn values(core: u8, std: u8) -> Result<u8, LockError> {
    shop::inside().await?;
    Ok(core + std)
}
