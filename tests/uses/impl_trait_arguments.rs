//! `impl Trait` as an argument, alone, nested and with lifetimes.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::fmt::Display;

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<id>")]
async fn opaque(
    id: impl Display + Copy,
    list: impl IntoIterator<Item = impl Into<String>>,
    call: impl AsyncFn(&str) -> usize,
    text: &impl AsRef<str>,
    plain: impl Fn(u8) -> u8 + 'static,
) -> Result<usize, LockError> {
    let mut sum = id.to_string().len() + usize::from(plain(1)) + text.as_ref().len();
    for text in list {
        sum += call(&text.into()).await;
    }
    Ok(sum)
}
