//! Every visibility stays.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

pub mod outer {
    pub mod inner {
        use dlock_runtime::{LockError, distributed_lock};

        #[distributed_lock(key = "a")]
        pub async fn to_all() -> Result<(), LockError> {
            Ok(())
        }

        #[distributed_lock(key = "a")]
        pub(crate) async fn to_the_crate() -> Result<(), LockError> {
            Ok(())
        }

        #[distributed_lock(key = "a")]
        pub(super) async fn to_the_parent() -> Result<(), LockError> {
            Ok(())
        }

        #[distributed_lock(key = "a")]
        pub(in crate::visibilities::outer) async fn to_a_path() -> Result<(), LockError> {
            Ok(())
        }
    }

    pub async fn sees() -> Result<(), dlock_runtime::LockError> {
        inner::to_the_parent().await?;
        inner::to_a_path().await
    }
}

#[distributed_lock(key = "a")]
pub(self) async fn to_itself() -> Result<(), LockError> {
    outer::inner::to_all().await?;
    outer::inner::to_the_crate().await
}
