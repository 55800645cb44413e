//! The line of the body that keeps the future from being `Send` is told.

use dlock_runtime::{LockError, distributed_lock};

use std::sync::Mutex;

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64, stock: &Mutex<u64>) -> Result<u64, LockError> {
    let left = stock.lock().expect("no panic before");
    std::future::ready(id).await;
    Ok(*left)
}

fn main() {
    fn send(_: impl Send) {}
    send(deduct(1, &Mutex::new(1)));
}
