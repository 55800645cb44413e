//! Work on another thread cannot be stopped when the lock is lost.

#![deny(deprecated)]

use std::thread;

use dlock_runtime::{LockError, distributed_lock};
use tokio::task;

#[distributed_lock(key = "report:<id>")]
async fn report(id: u64) -> Result<(), LockError> {
    let _ = task::spawn_blocking(move || println!("{id}")).await;
    let _ = tokio::task::spawn_blocking(move || println!("{id}")).await;
    let handle = thread::spawn(|| println!("on"));
    drop(handle);
    drop(::std::thread::spawn(|| println!("and on")));
    Ok(())
}

fn main() {
    let _ = report;
}
