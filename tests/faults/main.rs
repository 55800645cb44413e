//! What happens when things break: outcomes as promised, never a hang beyond `wait`, and never a wrong success.
//! Leases are short here, so each test sees several of them pass.

mod answers;
mod holder;
mod idle;
mod network;
mod refusals;
mod server;
mod spoilt;

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use dlock_runtime::{Guard, LockError, Runtime};
use dlock_testkit::{Proxy, Raw, RedisServer, with_turns};

const TTL: Duration = Duration::from_millis(500);
/// For leases that must be kept: a busy machine may not let a thread run for some hundred milliseconds.
const KEPT: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_millis(700);
/// For everything that a busy machine may do slowly; what is to be shown is always far longer or has no end.
const SLACK: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(5);

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().turns(with_turns()).redis(url).namespace("faults").ttl(TTL).wait(WAIT);
    builder.command_timeout(Duration::from_millis(500)).build().await.expect("a runtime")
}

/// Has every script run once, here and by the keeper: a fault is to strike a lock, not a script's first loading.
async fn warm_up(runtime: &Runtime) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let key = format!("allowed:warm-up:{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let guard = runtime.lock(&key).ttl(SOON * 10).wait(SOON).acquire().await.expect("it is free");
    guard.renew().await.expect("ours");
    drop(guard);
    assert!(runtime.wait_until_free(&key, SOON).await.expect("an answer"));
    runtime.lock(&key).wait(SOON).acquire().await.expect("it is free").release().await.expect("ours");
}

/// A server, a proxy in front of it, a runtime through the proxy and a raw client around it.
async fn proxied() -> (RedisServer, Proxy, Runtime, Raw) {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let runtime = on(proxy.url()).await;
    warm_up(&runtime).await;
    let raw = server.raw();
    (server, proxy, runtime, raw)
}

/// Acquires, and checks that it took no longer than `wait` allows, whatever came of it.
async fn in_time(runtime: &Runtime, key: &str) -> Result<Guard, LockError> {
    let start = Instant::now();
    let result = runtime.lock(key).acquire().await;
    assert!(start.elapsed() < WAIT + SLACK, "acquire took {:?} with a wait of {WAIT:?}", start.elapsed());
    if let Ok(guard) = &result {
        assert!(guard.is_held(), "what was acquired is held");
    }
    result
}

fn error<T>(result: Result<T, LockError>) -> LockError {
    result.err().expect("this cannot succeed")
}

/// What an error says, with what its source says.
fn words(error: &LockError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

#[track_caller]
fn assert_unavailable(error: &LockError) {
    assert!(error.is_unavailable(), "{error:?}");
    assert!(std::error::Error::source(error).is_some(), "the cause is kept");
}

/// Runs `test` with each case, all at a time.
async fn each<C, F>(cases: impl IntoIterator<Item = C>, test: impl Fn(C) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let running: Vec<_> = cases.into_iter().map(|case| tokio::spawn(test(case))).collect();
    for case in running {
        case.await.expect("no case fails");
    }
}

/// A body that ends when `done` says so, and tells whether it did.
async fn until(done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
