//! A macro runs nothing; the attribute goes on the function that it writes.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<id>")]
macro_rules! deduct {
    () => {};
}

fn main() {
    deduct!();
}
