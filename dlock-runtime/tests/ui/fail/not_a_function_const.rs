//! A constant runs nothing.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
const STOCK: u64 = 1;

fn main() {}
