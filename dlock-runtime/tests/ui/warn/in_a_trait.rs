//! Bodies under `#[async_trait]`, in an `async move` block and in a macro's arguments are looked through as well.

#![deny(deprecated)]

use dlock_runtime::{LockError, distributed_lock};

#[async_trait::async_trait]
trait Stock: Sync {
    #[distributed_lock(key = "stock:<id>")]
    async fn deduct(&self, id: u64) -> Result<u64, LockError> {
        tokio::spawn(std::future::ready(id));
        Ok(id)
    }
}

#[distributed_lock(key = "a")]
fn block() -> impl Future<Output = Result<(), LockError>> {
    async move {
        println!("{:?}", std::thread::spawn(|| 1).thread());
        Ok(())
    }
}

fn main() {
    let _ = (block, |stock: &dyn Stock| drop(stock.deduct(1)));
}
