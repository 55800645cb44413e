//! A call in the body that is not `Send` is told at its await.

use dlock_runtime::{LockError, distributed_lock};

async fn read(id: u64) -> u64 {
    let shared = std::rc::Rc::new(id);
    std::future::ready(()).await;
    *shared
}

#[distributed_lock(key = "stock:<id>")]
async fn deduct(id: u64) -> Result<u64, LockError> {
    Ok(read(id).await)
}

fn main() {
    fn send(_: impl Send) {}
    send(deduct(1));
}
