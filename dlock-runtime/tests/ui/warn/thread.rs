//! Work on another thread cannot be stopped when the lock is lost.

#![deny(deprecated)]

use std::thread;

use dlock_runtime::{LockError, distributed_lock};
use tokio::task;

#[distributed_lock(key = "report:<id>")]
async fn report(id: u64) -> Result<(), LockError> {
    drop(task::spawn_blocking(move || println!("{id}")));
    drop(tokio::task::spawn_blocking(move || println!("{id}")));
    let handle = thread::spawn(|| println!("on"));
    drop(handle);
    drop(::std::thread::spawn(|| println!("and on")));
    Ok(())
}

fn main() {
    let _ = report;
}
