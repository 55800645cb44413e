//! A body may hold items, also annotated ones, and `use`.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "outer:<id>")]
async fn outer(id: u8) -> Result<u8, LockError> {
    use std::fmt::Write;

    const ONE: u8 = 1;

    #[derive(Debug)]
    struct Inner(u8);

    impl Inner {
        #[distributed_lock(key = "inner:<self.0>")]
        async fn add(&self, other: u8) -> Result<u8, LockError> {
            Ok(self.0 + other)
        }
    }

    macro_rules! twice {
        ($value:expr) => {
            $value + $value
        };
    }

    let mut text = String::new();
    let _ = write!(text, "{id}");
    Ok(Inner(twice!(ONE)).add(text.len() as u8).await?)
}
