//! Raw identifiers as function, parameter, field and label.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

struct Order {
    r#ref: u8,
}

#[distributed_lock(key = "<type>:<r#match>:<order.ref>:<order.r#ref>")]
async fn r#fn(r#type: u8, r#match: &str, order: Order) -> Result<u8, LockError> {
    'r#loop: loop {
        break 'r#loop Ok(r#type + order.r#ref + r#match.len() as u8);
    }
}
