//! `self` behind any pointer that the language allows.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use dlock_runtime::{LockError, distributed_lock};

struct Shop {
    tenant: String,
}

type This = Shop;

impl Shop {
    #[distributed_lock(key = "<self.tenant>")]
    async fn single(self: Rc<Self>) -> Result<Rc<Self>, LockError> {
        Ok(self)
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn boxed_mut(mut self: Box<Self>) -> Result<Box<Self>, LockError> {
        self.tenant.clear();
        Ok(self)
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn pinned_box(self: Pin<Box<Self>>) -> Result<usize, LockError> {
        Ok(self.tenant.len())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn pinned_count(self: Pin<Arc<Self>>) -> Result<usize, LockError> {
        Ok(self.tenant.len())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn pinned_shared(self: Pin<&Self>) -> Result<usize, LockError> {
        Ok(self.tenant.len())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn not_used(self: Arc<Self>, _: String) -> Result<(), LockError> {
        Ok(())
    }

    #[distributed_lock(key = "<self.tenant>")]
    async fn by_alias(self: Box<This>) -> Result<usize, LockError> {
        Ok(self.tenant.len())
    }
}
