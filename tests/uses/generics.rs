//! Generics, lifetimes, `impl Trait` and constants.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::fmt::Display;

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "<id>:<other>")]
async fn generic<'a, T, const N: usize>(id: T, other: impl Display, list: &'a [u8; N]) -> Result<&'a u8, LockError>
where
    T: Display + Clone,
{
    let _ = (id.clone(), other);
    Ok(&list[0])
}

#[distributed_lock(key = "list")]
async fn nested() -> Result<(impl Iterator<Item = u8>, Vec<impl Display>), LockError> {
    if false {
        return Ok((vec![2].into_iter(), vec!["b"]));
    }
    Ok((vec![1].into_iter(), vec!["a"]))
}

#[distributed_lock(key = "list", or_else = |_| None.into_iter())]
async fn opaque() -> impl Iterator<Item = u8> {
    Some(1).into_iter()
}

#[distributed_lock(key = "object")]
async fn object() -> Result<Box<dyn Display + Send>, LockError> {
    if false {
        return Ok(Box::new(1));
    }
    Ok(Box::new("a"))
}

#[distributed_lock(key = "never", or_else = |err| panic!("{err}"))]
async fn never() -> ! {
    loop {
        std::future::ready(()).await;
    }
}

#[test]
fn compiles_and_runs() {
    let _ = |list: &[u8; 2]| drop(generic(1, "a", list));
    let _ = (nested, opaque, object, never);
}
