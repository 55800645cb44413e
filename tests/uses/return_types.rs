//! Types that carry a `LockError`, and with `or_else` any other.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::ControlFlow;
use std::task::Poll;

use dlock_runtime::{LockError, distributed_lock};

type Answer<T, E = LockError> = Result<T, E>;

mod io {
    pub type Result<T> = std::result::Result<T, Error>;

    pub struct Error;

    impl From<dlock_runtime::LockError> for Error {
        fn from(_: dlock_runtime::LockError) -> Self {
            Self
        }
    }
}

#[distributed_lock(key = "alias")]
async fn alias() -> Answer<u8> {
    Ok(1)
}

#[distributed_lock(key = "other")]
async fn result_of_another_name() -> io::Result<BTreeMap<u8, u8>> {
    Ok(BTreeMap::new())
}

#[distributed_lock(key = "boxed")]
async fn boxed_error() -> Result<u8, Box<dyn Error>> {
    Ok("1".parse()?)
}

#[distributed_lock(key = "generic")]
async fn generic_error<T: Default, E: From<LockError>>() -> Result<T, E> {
    Ok(T::default())
}

#[distributed_lock(key = "option", or_else = |_| None)]
async fn option() -> Option<u8> {
    Some("1".parse().ok()?)
}

#[distributed_lock(key = "nested", or_else = |err| Ok(Err(err)))]
async fn nested() -> Result<Result<u8, LockError>, u8> {
    Ok(Ok(1))
}

#[distributed_lock(key = "flow", or_else = |_| ControlFlow::Break(()))]
async fn flow() -> ControlFlow<(), u8> {
    ControlFlow::Continue(1)
}

#[distributed_lock(key = "poll", or_else = |err| Poll::Ready(Err(err)))]
async fn poll() -> Poll<Result<u8, LockError>> {
    Poll::Pending
}

#[distributed_lock(key = "tuple", or_else = |_| (0, [0; 2]))]
async fn tuple() -> (u8, [u8; 2]) {
    (1, [1; 2])
}

#[distributed_lock(key = "unit", or_else = |_| ())]
async fn unit() -> () {}

#[distributed_lock(key = "pointer", or_else = |_| plain)]
async fn pointer() -> fn(u8) -> u8 {
    plain
}

fn plain(value: u8) -> u8 {
    value
}
