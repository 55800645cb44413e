//! One suite of promises, run on each store. What holds on one must hold on the others, so that a program that was tried on
//! the embedded store behaves the same on Redis, on a Redis that Sentinel watches over, with the failover guard, and on a Redis Cluster.

/// Runs each test on each store, in a namespace of its own.
macro_rules! on_each_store {
    ($($(#[$meta:meta])* async fn $name:ident($builder:ident: Builder) $body:block)*) => {
        $(
            $(#[$meta])*
            async fn $name($builder: Builder) $body
        )*

        mod embedded {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Runtime::builder().turns(with_turns()).embedded().namespace(stringify!($name))).await;
                }
            )*
        }

        mod redis {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let url = RedisServer::shared().url();
                    super::$name(Runtime::builder().turns(with_turns()).redis(url).namespace(stringify!($name))).await;
                }
            )*
        }

        mod sentinel {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let group = Sentinels::shared();
                    group.open_guard();
                    let builder = Runtime::builder().sentinel(Sentinels::MASTER, group.urls()).failover_guard(std::time::Duration::from_secs(61));
                    super::$name(builder.turns(with_turns()).namespace(stringify!($name))).await;
                }
            )*
        }

        mod cluster {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let builder = crate::guarded_cluster().await.turns(with_turns());
                    super::$name(builder.namespace(stringify!($name))).await;
                }
            )*
        }

        mod cluster_without_guard {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let builder = Runtime::builder().cluster(Cluster::shared().urls()).failover_guard(false);
                    super::$name(builder.turns(with_turns()).namespace(concat!(stringify!($name), "-unguarded"))).await;
                }
            )*
        }
    };
}

mod holding;
mod runtimes;
mod waiting;

use std::time::{Duration, Instant};

use dlock_runtime::{Builder, Guard, LockError, Runtime};
use dlock_testkit::Cluster;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const LONG: Duration = Duration::from_secs(20);

/// For runtimes on a cluster with the failover guard, which takes it for one that has been there for long.
async fn guarded_cluster() -> Builder {
    static OPEN: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let cluster = Cluster::shared();
    let builder = Runtime::builder().cluster(cluster.urls()).failover_guard(61 * SECOND);
    let open = OPEN.get_or_init(async || {
        builder.clone().wait(Duration::ZERO).build().await.expect_err("it began a moment ago");
        cluster.open_guard();
    });
    open.await;
    builder
}

async fn build(builder: Builder) -> Runtime {
    builder.build().await.expect("the store is there")
}

/// Waits until `condition` holds.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}");
        tokio::time::sleep(5 * MS).await;
    }
}

async fn until_lost(guard: &Guard) -> LockError {
    until("the guard notices the loss", async || !guard.is_held()).await;
    guard.ensure_held().expect_err("it is not held")
}
