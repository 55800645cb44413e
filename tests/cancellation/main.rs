//! Nothing that goes away leaves its lock behind: an acquire cancelled at any moment, and a guard dropped wherever Rust
//! can drop one. Leases here are 30 seconds long, and everything must be free within one: no test can pass by expiry.

mod acquires;
mod guards;

use std::time::Duration;

use dlock_runtime::{Guard, Runtime};
use dlock_testkit::{Proxy, Raw, RedisServer, eventually, with_turns};
use tokio::runtime::Builder;

/// Far longer than any test waits for a release.
const LONG: Duration = Duration::from_secs(30);
/// What "at once" means on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().turns(with_turns()).redis(url).namespace("cancel").ttl(LONG).wait(LONG);
    builder.build().await.expect("a runtime")
}

/// A runtime behind a proxy whose connections stand and whose scripts are loaded: a fault is to strike a lock.
async fn behind(proxy: &Proxy) -> Runtime {
    let runtime = on(proxy.url()).await;
    drop(runtime.lock("warm-up").acquire().await.expect("it is free"));
    runtime.lock("warm-up").acquire().await.expect("it is given back").release().await.expect("ours");
    runtime
}

/// A fresh guard and the runtime it belongs to, each test with a key of its own.
async fn held(key: &str) -> (Runtime, Guard) {
    let runtime = on(RedisServer::shared().url()).await;
    let guard = runtime.lock(key).acquire().await.expect("it is free");
    assert!(redis().exists(&format!("cancel:{key}")));
    (runtime, guard)
}

fn redis() -> Raw {
    RedisServer::shared().raw()
}

#[track_caller]
fn free_at_once(key: &str) {
    let mut redis = redis();
    eventually("the lock is free", AT_ONCE, || !redis.exists(&format!("cancel:{key}")));
}

fn tokio() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().build().expect("a tokio runtime")
}
