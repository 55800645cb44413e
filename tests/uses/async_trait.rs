//! `#[async_trait]` expands first and hands on boxed futures.

use dlock_runtime::{LockError, distributed_lock};

#[async_trait::async_trait]
trait Stock: Sync {
    #[distributed_lock(key = "stock:<id>")]
    async fn deduct(&self, id: u64) -> Result<u64, LockError> {
        Ok(id)
    }

    async fn restock(&mut self, id: String) -> Result<(), LockError>;
}

struct Shop {
    tenant: String,
}

#[async_trait::async_trait]
impl Stock for Shop {
    #[distributed_lock(key = "stock:<self.tenant>/<id>", guard = lock)]
    async fn restock(&mut self, id: String) -> Result<(), LockError> {
        lock.ensure_held()?;
        self.tenant = id;
        Ok(())
    }
}

#[test]
fn compiles_and_runs() {
    fn send(_: impl Send) {}
    send(Shop { tenant: String::new() }.restock(String::new()));
    let _ = |stock: &dyn Stock| send(stock.deduct(1));
}
