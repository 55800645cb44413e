//! Default bodies and implementations of native async methods.

use dlock_runtime::{LockError, distributed_lock};

trait Stock {
    fn name(&self) -> String;

    #[distributed_lock(key = "stock:<id>")]
    async fn deduct(&self, id: u64) -> Result<String, LockError> {
        Ok(format!("{} {id}", self.name()))
    }

    async fn restock(&mut self, id: u64) -> Result<(), LockError>;
}

struct Shop {
    tenant: String,
}

impl Stock for Shop {
    fn name(&self) -> String {
        self.tenant.clone()
    }

    #[distributed_lock(key = "stock:<self.tenant>/<id>")]
    async fn restock(&mut self, id: u64) -> Result<(), LockError> {
        self.tenant = id.to_string();
        Ok(())
    }
}

#[test]
fn compiles_and_runs() {
    let _ = (Shop::deduct, Shop::restock);
}
