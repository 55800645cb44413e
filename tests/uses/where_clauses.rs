//! Bounds of every kind.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::fmt::{Debug, Display};

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<id>")]
async fn bounds<'a, T, I, F>(id: T, list: I, mut each: F) -> Result<Vec<I::Item>, LockError>
where
    T: Display + ?Sized + Clone + 'a,
    I: IntoIterator<Item: Debug, IntoIter: Clone>,
    F: for<'b> FnMut(&'b I::Item) -> bool + Send,
    Option<T>: PartialEq,
    Vec<&'a T>: Debug,
{
    let _ = id.clone();
    Ok(list.into_iter().filter(|item| each(item)).collect())
}
