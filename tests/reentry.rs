//! Joining a hold of one's own costs nothing, and does not fail while that is valid, whatever the store does.

use std::time::{Duration, Instant};

use dlock_runtime::{Guard, LockError, Runtime};
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, eventually_async, with_turns};

const TTL: Duration = Duration::from_secs(3);
/// What "at once" means on a busy machine; far less than a command may take.
const AT_ONCE: Duration = Duration::from_millis(800);

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().turns(with_turns()).redis(url).namespace("reentry").ttl(TTL);
    builder.command_timeout(Duration::from_secs(2)).build().await.expect("a runtime")
}

/// Joins the hold of `guard` on the lock `k`.
async fn join(runtime: &Runtime, guard: &Guard) -> Result<Guard, LockError> {
    guard.run(runtime.lock("k").acquire()).await?
}

#[tokio::test]
async fn a_thousand_joins_cost_no_command() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    for renew in [true, false] {
        let guard = runtime.lock("k").renew(renew).ttl(Duration::from_secs(60)).acquire().await.expect("free");
        let mut redis = server.raw();
        redis.command(&["CONFIG", "RESETSTAT"]);
        guard
            .run(async {
                for _ in 0..1000 {
                    runtime.lock("k").acquire().await.expect("joins").release().await.expect("held");
                }
            })
            .await
            .expect("held");
        let scripts =
            redis.command_stats().into_iter().filter(|(name, _)| name.starts_with("eval")).collect::<Vec<_>>();
        assert!(scripts.is_empty(), "{scripts:?}");
        guard.release().await.expect("held");
    }
}

/// Joins while Redis is mute. False if this machine stood still for so long that nothing can be said.
async fn joins_though_redis_is_mute(renew: bool) -> bool {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let runtime = on(proxy.url()).await;
    let guard = runtime.lock("k").renew(renew).acquire().await.expect("free");
    proxy.add(Rule::new(Fault::Swallow));
    for much_left in [true, false] {
        while !much_left && guard.remaining() > TTL * 4 / 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (began, left) = (Instant::now(), guard.remaining());
        let joined = join(&runtime, &guard).await.map(drop);
        let took = began.elapsed();
        if took >= left {
            return false;
        }
        joined.expect("it is held");
        // Only where little is left, and nobody renews it in the background, is there something to wait for.
        assert!(took < if much_left || renew { AT_ONCE } else { left }, "{took:?}");
    }
    eventually_async("the lease ends", TTL * 2, async || !guard.is_held()).await;
    assert!(join(&runtime, &guard).await.expect_err("lost").is_lost());
    true
}

#[tokio::test]
async fn a_join_succeeds_at_once_under_a_valid_lease_though_redis_is_mute() {
    for renew in [true, false] {
        let mut said = false;
        for _ in 0..5 {
            said = said || joins_though_redis_is_mute(renew).await;
        }
        assert!(said, "this machine is too slow");
    }
}

#[tokio::test]
async fn a_join_with_little_left_renews_it() {
    let runtime = on(RedisServer::shared().url()).await;
    // The first renewal would come far too late for a body that joins now.
    for renew in [Some(TTL * 9 / 10), None] {
        let request = runtime.lock("k");
        let guard = match renew {
            Some(interval) => request.renew(interval),
            None => request.renew(false),
        };
        let guard = guard.acquire().await.expect("free");
        tokio::time::sleep(TTL * 6 / 10).await;
        let before = guard.remaining();
        assert!(before < TTL / 2);
        let joined = join(&runtime, &guard).await.expect("held");
        eventually_async("it is renewed", TTL / 10, async || joined.remaining() > before).await;
        drop(joined);
        guard.release().await.expect("held");
    }
}
