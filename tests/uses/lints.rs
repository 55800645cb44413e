//! Generated code says nothing to any linter: here every lint is on that the code of a user could stay clean of.
//!
//! `cargo clippy --workspace --all-targets -- -D warnings` is what checks this file.

#![warn(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    future_incompatible,
    keyword_idents,
    let_underscore,
    nonstandard_style,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    unused,
    // By name, since no group has them.
    deprecated_safe,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    missing_debug_implementations,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]

use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

#[distributed_lock(key = "plain:<id>", ttl = 5, runtime = locks)]
async fn plain(locks: &Runtime, id: u64) -> Held<u64> {
    let held = locked(locks, "plain:1").await;
    if id == 0 {
        return Ok((held, 0));
    }
    Ok((held, id))
}

#[distributed_lock(
    key = "{lints}:<name>/<order.id>",
    ttl = ttl,
    wait = "1500us",
    renew = "100ms",
    max_hold = "unbounded",
    on_lost = finish,
    or_else = |error| Err(error.to_string()),
    guard = lock,
    label = "stock of a shop",
    reentrant = false,
    runtime = locks,
    crate = ::dlock_runtime,
)]
async fn every_option(locks: &Runtime, name: String, order: &Order, ttl: Duration) -> Result<u64, String> {
    lock.ensure_held().map_err(|error| error.to_string())?;
    Ok(lock.fence() + name.len() as u64 + u64::from(order.id))
}

#[distributed_lock(key = format!("when:{id}"), when = id > 0, or_else = |_| None, runtime = locks)]
async fn under_a_condition(locks: &Runtime, id: u8) -> Option<bool> {
    Some(locked(locks, "when:1").await)
}

#[distributed_lock(key = "nothing", runtime = locks, or_else = |error| panic!("{error}"))]
async fn returns_nothing(locks: &Runtime) {
    tokio::task::yield_now().await;
}

#[distributed_lock(key = "never", runtime = locks, or_else = |error| panic!("{error}"))]
async fn never(locks: &Runtime) -> ! {
    std::future::pending().await
}

#[distributed_lock(key = "owned:<name>", runtime = locks)]
async fn owned_parameters(
    locks: &Runtime,
    name: String,
    mut list: Vec<u8>,
    (left, _right): (String, String),
    Order { id, ref note }: Order,
    _: Box<u8>,
    _unused: Arc<u8>,
) -> Held<String> {
    list.push(id);
    Ok((locked(locks, "owned:x").await, format!("{left}{note}{}", list.len())))
}

#[distributed_lock(key = "generic:<id>", runtime = locks)]
async fn generic<'a, T, const N: usize>(
    locks: &Runtime,
    id: T,
    list: &'a [&'a str; N],
    show: impl Fn(&str) -> String + Send,
) -> Held<(&'a str, String)>
where
    T: Display + Send + Sync,
{
    let first = list.first().copied().unwrap_or_default();
    Ok((locked(locks, "generic:1").await, (first, show(&id.to_string()))))
}

#[distributed_lock(key = "tree", runtime = locks)]
async fn recursive(locks: &Runtime, depth: u8) -> Held<u8> {
    if depth == 0 {
        return Ok((locked(locks, "tree").await, 0));
    }
    Box::pin(recursive(locks, depth - 1)).await
}

struct Order {
    id: u8,
    note: String,
}

struct Shop {
    locks: Runtime,
    tenant: String,
}

impl Shop {
    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn shared(&self) -> Held<&str> {
        Ok((locked(&self.locks, "shop:berlin").await, &self.tenant))
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn exclusive(&mut self) -> Held<&mut String> {
        Ok((locked(&self.locks, "shop:berlin").await, &mut self.tenant))
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn counted(self: Arc<Self>) -> Held<()> {
        Ok((locked(&self.locks, "shop:berlin").await, ()))
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks)]
    async fn pinned(self: Pin<&mut Self>) -> Held<()> {
        Ok((locked(&self.locks, "shop:berlin").await, ()))
    }

    #[distributed_lock(key = "shop:<self.tenant>", runtime = &self.locks.clone())]
    async fn owned(self) -> Held<String> {
        Ok((locked(&self.locks, "shop:berlin").await, self.tenant))
    }
}

trait Stock {
    fn locks(&self) -> &Runtime;

    #[distributed_lock(key = "stock:<id>", runtime = self.locks())]
    async fn deduct(&self, id: u8) -> Held<u8> {
        Ok((locked(self.locks(), "stock:1").await, id))
    }
}

impl Stock for Shop {
    fn locks(&self) -> &Runtime {
        &self.locks
    }
}

#[async_trait::async_trait]
trait BoxedStock: Sync {
    fn handle(&self) -> &Runtime;

    #[distributed_lock(key = "boxed:<id>", runtime = self.handle())]
    async fn deduct_boxed(&self, id: String) -> Held<String> {
        Ok((locked(self.handle(), "boxed:1").await, id))
    }
}

#[async_trait::async_trait]
impl BoxedStock for Shop {
    fn handle(&self) -> &Runtime {
        &self.locks
    }

    #[distributed_lock(key = "boxed:<id>", runtime = &self.locks)]
    async fn deduct_boxed(&self, id: String) -> Held<String> {
        Ok((locked(&self.locks, "boxed:1").await, id))
    }
}

type Held<T> = Result<(bool, T), LockError>;

async fn locked(locks: &Runtime, key: &str) -> bool {
    locks.is_locked(key).await.expect("the embedded store answers")
}

async fn during<T>(call: impl Future<Output = Held<T>>) -> T {
    let (held, value) = call.await.expect("the lock is free");
    assert!(held);
    value
}

/// That they work is shown elsewhere; here it keeps them from being unused.
#[tokio::test]
async fn what_is_clean_of_lints_works() -> Result<(), LockError> {
    let locks = Runtime::builder().embedded().build().await?;
    let order = || Order { id: 1, note: "n".to_owned() };
    let shop = || Shop { locks: locks.clone(), tenant: "berlin".to_owned() };
    assert_eq!(during(plain(&locks, 1)).await, 1);
    let fence = every_option(&locks, "x".to_owned(), &order(), Duration::from_secs(1)).await;
    assert!(fence.is_ok_and(|fence| fence > 1));
    assert_eq!(under_a_condition(&locks, 1).await, Some(true));
    returns_nothing(&locks).await;
    drop(never(&locks));
    let call = owned_parameters(
        &locks,
        "x".to_owned(),
        Vec::new(),
        ("l".to_owned(), String::new()),
        order(),
        Box::new(1),
        Arc::new(1),
    );
    assert_eq!(during(call).await, "ln1");
    let list = ["a"];
    let call = generic(&locks, 1, &list, |id| id.repeat(2));
    assert_eq!(during(call).await, ("a", "11".to_owned()));
    assert_eq!(during(recursive(&locks, 2)).await, 0);
    assert_eq!(during(shop().shared()).await, "berlin");
    assert_eq!(during(shop().exclusive()).await, "berlin");
    during(Arc::new(shop()).counted()).await;
    during(std::pin::pin!(shop()).pinned()).await;
    assert_eq!(during(shop().owned()).await, "berlin");
    assert_eq!(during(shop().deduct(1)).await, 1);
    assert_eq!(during(shop().deduct_boxed("1".to_owned())).await, "1");
    Ok(())
}
