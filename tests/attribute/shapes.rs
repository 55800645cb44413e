//! Every shape of function holds its lock: methods, traits, generics, patterns.

use crate::{locked, locks};
use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::fmt::Display;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

type Held = Result<bool, LockError>;

struct Shop {
    locks: Runtime,
    tenant: String,
}

impl Shop {
    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn shared(&self) -> Held {
        Ok(locked(&self.locks, "shop:berlin").await)
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn exclusive(&mut self, tenant: &str) -> Held {
        self.tenant = tenant.to_owned();
        Ok(locked(&self.locks, "shop:berlin").await)
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn counted(self: Arc<Self>) -> Held {
        Ok(locked(&self.locks, "shop:berlin").await)
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn pinned(self: Pin<&mut Self>) -> Held {
        Ok(locked(&self.locks, "shop:berlin").await)
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn boxed(mut self: Box<Self>) -> Result<(Box<Self>, bool), LockError> {
        let held = locked(&self.locks, "shop:berlin").await;
        self.tenant.push('!');
        Ok((self, held))
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn owned(self) -> Held {
        Ok(locked(&self.locks, "shop:berlin").await)
    }
}

#[tokio::test]
async fn methods_with_every_kind_of_self_work() -> Result<(), LockError> {
    let locks = locks("methods").await;
    let shop = || Shop { locks: locks.clone(), tenant: "berlin".into() };
    assert!(shop().shared().await?);
    let mut renamed = shop();
    assert!(renamed.exclusive("paris").await?);
    assert_eq!(renamed.tenant, "paris");
    assert!(Arc::new(shop()).counted().await?);
    assert!(pin!(shop()).pinned().await?);
    let (boxed, held) = Box::new(shop()).boxed().await?;
    assert!(held && boxed.tenant == "berlin!");
    assert!(shop().owned().await?);
    assert!(!locked(&locks, "shop:berlin").await);
    Ok(())
}

trait Stock {
    fn locks(&self) -> &Runtime;

    #[distributed_lock(key = "default:<id>", runtime = self.locks())]
    async fn by_default(&self, id: u8) -> Held {
        Ok(locked(self.locks(), &format!("default:{id}")).await)
    }

    async fn implemented(&self, id: u8) -> Held;
}

impl Stock for Shop {
    fn locks(&self) -> &Runtime {
        &self.locks
    }

    #[distributed_lock(key = "impl:<self.tenant>:<id>", runtime = &self.locks)]
    async fn implemented(&self, id: u8) -> Held {
        Ok(locked(&self.locks, &format!("impl:berlin:{id}")).await)
    }
}

#[async_trait::async_trait]
trait DynStock: Sync {
    fn handle(&self) -> &Runtime;

    #[distributed_lock(key = "default:<id>", runtime = self.handle())]
    async fn dyn_default(&self, id: u8) -> Held {
        Ok(locked(self.handle(), &format!("default:{id}")).await)
    }

    async fn dyn_implemented(&mut self, id: String) -> Held;
}

#[async_trait::async_trait]
impl DynStock for Shop {
    fn handle(&self) -> &Runtime {
        &self.locks
    }

    #[distributed_lock(key = "impl:<self.tenant>:<id>", runtime = &self.locks, guard = lock)]
    async fn dyn_implemented(&mut self, id: String) -> Held {
        lock.ensure_held()?;
        Ok(locked(&self.locks, &format!("impl:berlin:{id}")).await)
    }
}

#[tokio::test]
async fn trait_methods_native_and_by_async_trait() -> Result<(), LockError> {
    let mut shop = Shop { locks: locks("traits").await, tenant: "berlin".into() };
    assert!(shop.by_default(1).await?);
    assert!(shop.implemented(2).await?);
    let stock: &mut dyn DynStock = &mut shop;
    assert!(stock.dyn_default(3).await?);
    assert!(stock.dyn_implemented("4".into()).await?);
    assert!(!locked(&shop.locks, "impl:berlin:4").await);
    Ok(())
}

struct Path<T>(T);

#[distributed_lock(key = "<id>:<name>", runtime = locks)]
async fn generic<'a, T: Display + Clone>(
    locks: &Runtime,
    Path(id): Path<T>,
    name: impl Display,
    mut list: Vec<&'a str>,
    (left, _): (&'a str, u8),
) -> Result<Vec<&'a str>, LockError> {
    if locked(locks, &format!("{id}:{name}")).await {
        list.push(left);
    }
    Ok(list)
}

#[distributed_lock(key = "opaque", runtime = locks, or_else = |_| Err("busy".to_owned()))]
async fn opaque(locks: &Runtime) -> Result<impl Iterator<Item = u8> + use<>, String> {
    let held = locked(locks, "opaque").await;
    Ok(held.then_some(1).into_iter())
}

#[tokio::test]
async fn generics_patterns_and_impl_trait_are_kept() -> Result<(), LockError> {
    let locks = locks("generics").await;
    let list = generic(&locks, Path(7), "x", vec!["a"], ("b", 0)).await?;
    assert_eq!(list, ["a", "b"]);
    assert_eq!(opaque(&locks).await.map(Iterator::count), Ok(1));
    Ok(())
}

#[test]
fn the_future_is_send() {
    fn send<F: Future + Send>(_: impl FnOnce(&'static Shop, &'static Runtime) -> F) {}
    send(|shop, _| shop.shared());
    send(|_, locks| generic(locks, Path(1), 'x', Vec::new(), ("", 0)));
    send(|_, locks| opaque(locks));
}
