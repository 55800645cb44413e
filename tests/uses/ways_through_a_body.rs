//! Early returns, labels, `?`, `let else`, and bodies that never come to their end.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "returns")]
async fn returns(list: Vec<Option<u8>>) -> Result<u8, LockError> {
    let closure = |value: u8| {
        if value == 0 {
            return None;
        }
        Some(value)
    };
    'list: for value in list {
        let Some(value) = value else { continue 'list };
        let found = 'block: {
            if value > 9 {
                break 'block closure(value);
            }
            None
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    let block = async { if closure(1).is_none() { return 0 } else { 1 } };
    Ok(block.await)
}

#[distributed_lock(key = "loops")]
async fn loops() -> Result<u8, LockError> {
    loop {
        std::future::ready(()).await;
    }
}

#[distributed_lock(key = "todo")]
async fn unfinished(id: u8) -> Result<u8, LockError> {
    todo!("{id}")
}

#[distributed_lock(key = "empty", or_else = |_| ())]
async fn empty() {}

#[distributed_lock(key = "comment")]
async fn only_a_return() -> Result<(), LockError> {
    return Ok(());
}
