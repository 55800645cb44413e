//! A value that is not `Send` is told where it is given.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock:<id>")]
async fn deduct<T: Clone>(id: u64, held: T) -> Result<T, LockError> {
    std::future::ready(id).await;
    Ok(held)
}

fn main() {
    fn send(_: impl Send) {}
    send(deduct(1, std::rc::Rc::new(1)));
}
