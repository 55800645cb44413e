//! Every kind of `self`.

use std::pin::Pin;
use std::sync::Arc;

use dlock_runtime::{LockError, distributed_lock};

struct Shop {
    tenant: String,
}

impl Shop {
    #[distributed_lock(key = "<self.tenant>")]
    async fn shared(&self) -> Result<&str, LockError> {
        Ok(&self.tenant)
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn exclusive(&mut self) -> Result<&mut String, LockError> {
        Ok(&mut self.tenant)
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn with_lifetime<'a, 'b>(&'a self, other: &'b str) -> Result<(&'a str, &'b str), LockError> {
        Ok((&self.tenant, other))
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn owned(mut self) -> Result<Self, LockError> {
        self.tenant.clear();
        Ok(self)
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn boxed(self: Box<Self>) -> Result<(), LockError> {
        Ok(())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn counted(self: Arc<Self>) -> Result<String, LockError> {
        Ok(self.tenant.clone())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn borrowed_count(self: &Arc<Self>) -> Result<String, LockError> {
        Ok(self.tenant.clone())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn pinned(self: Pin<&mut Self>) -> Result<usize, LockError> {
        Ok(self.tenant.len())
    }

    #[distributed_lock(key = "shop", or_else = Self::closed)]
    async fn opened() -> Self {
        Self { tenant: String::new() }
    }

    fn closed(_: LockError) -> Self {
        Self { tenant: String::new() }
    }
}

#[test]
fn compiles_and_runs() {
    let _ = (Shop::shared, Shop::exclusive, Shop::with_lifetime, Shop::owned, Shop::boxed, Shop::counted);
    let _ = (Shop::borrowed_count, Shop::pinned, Shop::opened);
}
