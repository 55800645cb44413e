//! A thread that sleeps starves the executor, and cannot be stopped when the lock is lost.

#![deny(deprecated)]

use std::thread;
use std::time::Duration;

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "retry:<id>")]
async fn retry(id: u64) -> Result<u64, LockError> {
    loop {
        thread::sleep(Duration::from_millis(10));
        if id > 1 {
            std::thread::sleep(Duration::from_millis(id));
            return Ok(id);
        }
    }
}

fn main() {
    let _ = retry;
}
