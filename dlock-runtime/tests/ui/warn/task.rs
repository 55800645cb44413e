//! A task that is spawned in a locked body goes on without the lock.

#![deny(deprecated)]

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<(), LockError> {
    tokio::spawn(async move { println!("{id}") });
    if let Err(error) = ::tokio::task::spawn(std::future::ready(id)).await {
        println!("{error}");
    }
    Ok(())
}

fn main() {
    let _ = deduct;
}
