//! Blocking work that is awaited where it stands ends before the lock does.

#![deny(warnings)]

use dlock_runtime::{LockError, distributed_lock};
use tokio::task;

#[distributed_lock(key = "report:<id>")]
async fn report(id: u64) -> Result<u64, LockError> {
    let one = tokio::task::spawn_blocking(move || id + 1).await.unwrap_or(0);
    let two = task::spawn_blocking(move || {
        println!("{id}");
        id + 2
    })
    .await;
    let three = async { ::tokio::task::spawn_blocking::<_, u64>(move || id).await }.await;
    Ok(one + two.unwrap_or(0) + three.unwrap_or(0))
}

#[test]
fn compiles_and_runs() {
    let _ = report;
}
