//! A function that returns a future can hold a lock if its whole body is one `async move` block.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use dlock_runtime::{LockError, distributed_lock};

struct Order {
    sku: String,
    qty: u32,
}

#[distributed_lock(key = "stock:<order.sku>")]
fn deduct(order: Order) -> impl Future<Output = Result<u32, LockError>> + Send {
    async move { Ok(order.qty) }
}

#[distributed_lock(key = "stock:<id>", or_else = |_| Vec::new().into_iter())]
pub fn nested(id: u64) -> impl Future<Output = impl Iterator<Item = u64>> + Send + 'static {
    async move { vec![id].into_iter() }
}

/// What the block does not name stays outside of the future, which is `Send` and `'static` as without the attribute.
#[distributed_lock(key = "stock:<id>")]
fn leaves_out(id: u64, _here: Rc<u8>, _borrowed: &str) -> impl Future<Output = Result<u64, LockError>> + Send + use<> {
    #![expect(unused_variables)]
    async move {
        let unused = 1;
        Ok(id)
    }
}

#[distributed_lock(key = "tree:<depth>", reentrant = true)]
fn recursive(depth: u32) -> Pin<Box<dyn Future<Output = Result<u32, LockError>> + Send>> {
    Box::pin(async move { if depth == 0 { Ok(0) } else { recursive(depth - 1).await.map(|below| below + 1) } })
}

trait Stock: Sync {
    #[distributed_lock(key = "stock:<id>")]
    fn by_default(&self, id: u64) -> impl Future<Output = Result<u64, LockError>> + Send {
        async move { Ok(self.count() + id) }
    }

    fn count(&self) -> u64;

    fn restock(&mut self, id: u64) -> impl Future<Output = Result<(), LockError>> + Send;
}

struct Shop {
    count: u64,
}

impl Stock for Shop {
    fn count(&self) -> u64 {
        self.count
    }

    #[distributed_lock(key = "stock:<self.count>/<id>", guard = lock)]
    fn restock(&mut self, id: u64) -> impl Future<Output = Result<(), LockError>> + Send {
        async move {
            lock.ensure_held()?;
            self.count += id;
            Ok(())
        }
    }
}

#[test]
fn compiles_and_runs() {
    fn send(_: impl Send) {}
    send(deduct(Order { sku: String::new(), qty: 1 }));
    send(nested(1));
    send(leaves_out(1, Rc::new(1), ""));
    send(recursive(1));
    send(Shop { count: 0 }.by_default(1));
    send(Shop { count: 0 }.restock(1));
}
