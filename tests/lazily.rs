//! A runtime that is built before its Redis is up.

use std::time::{Duration, Instant};

use dlock_runtime::{Builder, LockError, Runtime, distributed_lock};
use dlock_testkit::{RedisServer, Value, eventually, eventually_async};

const SOON: Duration = Duration::from_secs(20);

fn on(server: &RedisServer) -> Builder {
    Runtime::builder().redis(server.url()).namespace("lazily").wait(Duration::from_millis(200))
}

#[distributed_lock(key = "early:<id>")]
async fn early(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

/// The one test here that installs a runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_can_start_before_its_redis_and_takes_locks_once_that_is_up() {
    let mut server = RedisServer::start();
    server.kill();
    assert!(on(&server).install().await.is_err_and(|error| error.is_unavailable()));
    assert!(matches!(early(1).await, Err(LockError::NotInstalled)), "an install that failed installs nothing");

    let began = Instant::now();
    let runtime = on(&server).connect_lazily().install().await.expect("it asks nobody");
    assert!(began.elapsed() < SOON / 2, "{:?}", began.elapsed());
    let error = early(1).await.expect_err("nobody is there");
    assert!(error.is_unavailable(), "{error:?}");

    server.restart();
    eventually_async("the same function works", SOON, async || early(1).await.is_ok()).await;
    // It is told when a lock is handed to it, as if it had been there from the beginning.
    let mut raw = server.raw();
    // Each runtime has a channel for messages, and one more for its heartbeats.
    let mut channels = || match raw.command(&["PUBSUB", "CHANNELS", "dlock:*"]) {
        Value::List(channels) => {
            channels.iter().filter_map(Value::text).filter(|channel| channel.matches(':').count() == 1).count()
        }
        other => panic!("{other:?}"),
    };
    eventually("it listens", SOON, || channels() == 1);
    let other = on(&server).build().await.expect("it is up");
    eventually("both listen", SOON, || channels() == 2);
    let held = other.lock("handed").ttl(SOON).acquire().await.expect("free");
    let waiting = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.lock("handed").ttl(SOON).wait(SOON).acquire().await }
    });
    eventually_async("it waits", SOON, async || {
        other.inspect("handed").await.is_ok_and(|holder| holder.is_some_and(|holder| holder.waiters() == 1))
    })
    .await;
    held.release().await.expect("ours");
    waiting.await.expect("no panic").expect("handed over").release().await.expect("ours");
    assert!(runtime.shutdown(SOON).await);
}

#[tokio::test]
async fn a_lazy_build_refuses_what_is_wrong_without_asking_the_store() {
    for builder in [
        Runtime::builder(),
        Runtime::builder().redis("nonsense"),
        Runtime::builder().redis("redis://127.0.0.1/").embedded(),
        Runtime::builder().redis("redis://127.0.0.1/").ttl(Duration::ZERO),
    ] {
        let error = builder.connect_lazily().build().await.expect_err("it cannot work");
        assert!(error.is_config(), "{error:?}");
    }
}

#[tokio::test]
async fn a_runtime_whose_redis_never_comes_up_can_be_shut_down_and_dropped() {
    let mut server = RedisServer::start();
    server.kill();
    let runtime = on(&server).connect_lazily().build().await.expect("it asks nobody");
    assert!(runtime.lock("never").acquire().await.is_err_and(|error| error.is_unavailable()));
    assert!(runtime.shutdown(SOON).await, "it holds nothing");
}

#[tokio::test]
async fn an_embedded_runtime_is_there_at_once_either_way() {
    let runtime = Runtime::builder().embedded().namespace("lazily").connect_lazily().build().await.expect("a runtime");
    runtime.lock("embedded").acquire().await.expect("free").release().await.expect("ours");
}
