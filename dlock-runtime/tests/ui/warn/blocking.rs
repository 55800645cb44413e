//! Blocking work that is not awaited where it stands may outlive the lock.

#![deny(deprecated)]

use std::time::Duration;

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "report:<id>")]
async fn report(id: u64) -> Result<(), LockError> {
    let task = tokio::task::spawn_blocking(move || println!("{id}"));
    let _ = tokio::time::timeout(Duration::from_secs(1), tokio::task::spawn_blocking(|| ())).await;
    let _ = task.await;
    Ok(())
}

fn main() {
    let _ = report;
}
