//! A function that returns a future is written as an `async fn`.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
fn deduct(id: u64) -> impl Future<Output = Result<u64, LockError>> {
    std::future::ready(Ok(id))
}

fn main() {}
