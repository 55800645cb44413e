//! Parameters may be patterns.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

struct Path<T>(T);

struct Order {
    sku: String,
    r#type: u8,
}

#[distributed_lock(key = "<id>:<sku>/<type>|<first>")]
async fn deduct(
    Path(id): Path<u64>,
    mut qty: u32,
    _: String,
    Order { sku, r#type }: Order,
    [first, ..]: [u8; 2],
    (left, ref right): (String, String),
    &copied: &u8,
    all @ (_, _): (u8, u8),
    (Ok(either) | Err(either)): Result<u8, u8>,
    _unused: Vec<u8>,
) -> Result<String, LockError> {
    qty += u32::from(all.0);
    let _ = (id, qty, first, copied, either, r#type);
    Ok(sku + &left + right)
}

#[distributed_lock(key = "<r#type>:<order.type>")]
async fn keyword(r#type: u8, order: &Order) -> Result<u8, LockError> {
    Ok(r#type + order.r#type)
}

#[test]
fn compiles_and_runs() {
    let _ = (deduct, keyword);
}
