//! The classic recipe (three Lua scripts and a context manager around them), part by part, under its Rust names: each
//! test is named for the part it keeps. What Redis holds is read by a raw client, as `redis-cli GET` and `TTL` would.

use std::time::{Duration, Instant};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{Raw, RedisServer, eventually, with_turns};

const SOON: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

/// A runtime on the shared server, as one process would have it. Every test takes a key of its own.
async fn process() -> Runtime {
    let url = RedisServer::shared().url();
    Runtime::builder()
        .turns(with_turns())
        .redis(url)
        .namespace("classic")
        .ttl(LONG)
        .wait(SOON)
        .build()
        .await
        .expect("a runtime")
}

fn redis() -> Raw {
    RedisServer::shared().raw()
}

/// What is left of the lease in Redis; `None` without one.
fn lease(redis: &mut Raw, key: &str) -> Option<Duration> {
    let left = redis.command(&["PTTL", key]).int().expect("PTTL gives a number");
    u64::try_from(left).ok().map(Duration::from_millis)
}

fn owner(redis: &mut Raw, key: &str) -> Option<String> {
    redis.command(&["GET", key]).text().map(str::to_owned)
}

#[tokio::test]
async fn locked_tells_whether_anybody_holds_it() {
    let (ours, theirs) = (process().await, process().await);
    assert!(!ours.is_locked("locked").await.expect("an answer"));
    let guard = ours.lock("locked").acquire().await.expect("it is free");
    for process in [&ours, &theirs] {
        assert!(process.is_locked("locked").await.expect("an answer"));
        assert!(!process.is_locked("locked:other").await.expect("an answer"), "another key is another lock");
    }
    guard.release().await.expect("it is ours");
    assert!(!theirs.is_locked("locked").await.expect("an answer"));
}

#[tokio::test]
async fn locked_counts_a_client_of_another_kind() {
    let process = process().await;
    assert!(redis().command(&["SET", "classic:locked:foreign", "somebody", "NX", "PX", "30000"]).is_ok());
    assert!(process.is_locked("locked:foreign").await.expect("an answer"));
    let holder = process.inspect("locked:foreign").await.expect("an answer").expect("a holder");
    assert!(holder.is_foreign());
    assert!(holder.remaining().is_some_and(|left| left <= LONG));
}

#[tokio::test]
async fn exists_is_the_key_itself() {
    let process = process().await;
    let mut redis = redis();
    assert!(!redis.exists("classic:exists"));
    let guard = process.lock("exists").acquire().await.expect("it is free");
    assert!(redis.exists("classic:exists"));
    let left = lease(&mut redis, "classic:exists").expect("a lease");
    assert!(left <= LONG && left > LONG - SOON, "the TTL of the key is the lease, not {left:?}");
    assert!(guard.remaining() <= left, "we stop before Redis lets others in");
    guard.release().await.expect("it is ours");
    assert!(!redis.exists("classic:exists"));
}

#[tokio::test]
async fn inspect_names_the_holder() {
    let process = process().await;
    assert!(process.inspect("inspect").await.expect("an answer").is_none());
    let guard = process.lock("inspect").acquire().await.expect("it is free");
    let holder = process.inspect("inspect").await.expect("an answer").expect("a holder");
    assert!(holder.owner().contains(&std::process::id().to_string()), "{}", holder.owner());
    assert_eq!(holder.fence(), Some(guard.fence()));
    assert!(!holder.is_foreign());
    assert!(holder.since().is_some());
}

#[tokio::test]
async fn acquire_with_timeout_0_tries_once() {
    // A server of its own: its statistics count the tries.
    let server = RedisServer::start();
    let process =
        async || Runtime::builder().turns(with_turns()).redis(server.url()).ttl(LONG).build().await.expect("a runtime");
    let (ours, theirs) = (process().await, process().await);
    let guard = ours.lock("once").acquire().await.expect("it is free");
    let scripts = |redis: &mut Raw| -> u64 {
        redis.command_stats().iter().filter(|(name, _)| name.starts_with("eval")).map(|(_, calls)| calls).sum()
    };
    // Both ways have sent their script once before the count.
    assert!(theirs.lock("once").try_acquire().await.expect("an answer").is_none());
    let mut redis = server.raw();
    let before = scripts(&mut redis);
    let start = Instant::now();
    let refused = theirs.lock("once").wait(Duration::ZERO).acquire().await.err();
    assert!(matches!(refused, Some(LockError::Busy { .. })), "{refused:?}");
    assert_eq!(scripts(&mut redis) - before, 1, "one try is one script");
    assert!(start.elapsed() < SOON);
    drop(guard);
}

#[tokio::test]
async fn acquire_with_timeout_gives_up_when_it_is_over() {
    let (ours, theirs) = (process().await, process().await);
    let _guard = ours.lock("gives-up").acquire().await.expect("it is free");
    let start = Instant::now();
    match theirs.lock("gives-up").wait(SHORT).acquire().await {
        Err(LockError::Busy { key, waited, holder, .. }) => {
            assert_eq!(key.to_string(), "gives-up");
            assert!(waited >= SHORT - Duration::from_millis(50), "{waited:?}");
            assert!(holder.is_some_and(|holder| holder.owner().contains(&std::process::id().to_string())));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two hold one lock"),
    }
    assert!(start.elapsed() >= SHORT - Duration::from_millis(50) && start.elapsed() < SHORT + SOON);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acquire_with_timeout_gets_it_when_it_is_released_in_time() {
    let (ours, theirs) = (process().await, process().await);
    let guard = ours.lock("in-time").acquire().await.expect("it is free");
    let fence = guard.fence();
    let waiting = tokio::spawn(async move { theirs.lock("in-time").wait(LONG).acquire().await.map(|g| g.fence()) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "it waits while the lock is held");
    guard.release().await.expect("it is ours");
    let next = tokio::time::timeout(SOON, waiting).await.expect("long before its timeout");
    assert!(next.expect("no panic").expect("it is free now") > fence);
}

#[tokio::test]
async fn acquire_gets_it_when_the_lease_of_a_dead_holder_is_over() {
    let ours = process().await;
    assert!(redis().command(&["SET", "classic:dead", "somebody-dead", "NX", "PX", "300"]).is_ok());
    let start = Instant::now();
    let guard = ours.lock("dead").wait(SOON).acquire().await.expect("the lease ends");
    assert!(start.elapsed() >= Duration::from_millis(250), "not before it ended: {:?}", start.elapsed());
    assert!(guard.is_held());
}

#[tokio::test]
async fn acquire_by_who_already_holds_it_renews_what_ends_soon() {
    let process = process().await;
    let mut redis = redis();
    let guard = process.lock("again").ttl(SOON).renew(false).acquire().await.expect("it is free");
    let fence = guard.fence();
    let inner = async {
        // With more than half of it left, there is nothing to renew.
        while lease(&mut redis, "classic:again").expect("a lease") > SOON * 4 / 10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let aged = lease(&mut redis, "classic:again").expect("a lease");
        let again = process.lock("again").ttl(SOON).wait(Duration::ZERO).acquire().await.expect("it is ours already");
        let renewed = lease(&mut redis, "classic:again").expect("a lease");
        assert!(renewed > aged, "{renewed:?} after {aged:?}");
        assert_eq!(again.fence(), fence, "it is the same hold");
        // Giving the inner one back does not give the outer one back.
        again.release().await.expect("it is ours");
        assert!(redis.exists("classic:again"));
    };
    guard.run(inner).await.expect("held throughout");
    assert!(guard.is_held());
    guard.release().await.expect("it is ours");
    assert!(!redis.exists("classic:again"));
}

#[tokio::test]
async fn acquire_by_another_task_of_the_same_process_does_not_count_as_again() {
    let process = process().await;
    let guard = process.lock("other-task").acquire().await.expect("it is free");
    let inner = async {
        let other = process.clone();
        let task = tokio::spawn(async move { other.lock("other-task").wait(SHORT).acquire().await.err() });
        let refused = task.await.expect("no panic");
        assert!(refused.as_ref().is_some_and(LockError::is_busy), "{refused:?}");
    };
    guard.run(inner).await.expect("held throughout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_returns_when_nobody_holds_it() {
    let (ours, theirs) = (process().await, process().await);
    assert!(theirs.wait_until_free("wait", Duration::ZERO).await.expect("an answer"), "it is free from the start");
    let guard = ours.lock("wait").acquire().await.expect("it is free");
    let start = Instant::now();
    assert!(!theirs.wait_until_free("wait", SHORT).await.expect("an answer"), "it is held for longer than that");
    assert!(start.elapsed() >= SHORT - Duration::from_millis(50) && start.elapsed() < SHORT + SOON);
    let waiting = tokio::spawn(async move { theirs.wait_until_free("wait", LONG).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    guard.release().await.expect("it is ours");
    let free = tokio::time::timeout(SOON, waiting).await.expect("long before its timeout");
    assert!(free.expect("no panic").expect("an answer"));
    assert!(!redis().exists("classic:wait"), "waiting does not take it");
}

#[tokio::test]
async fn renew_starts_the_lease_anew() {
    let process = process().await;
    let mut redis = redis();
    let guard = process.lock("renew").ttl(SOON).renew(false).acquire().await.expect("it is free");
    let value = owner(&mut redis, "classic:renew");
    eventually("the lease has aged", SOON, || lease(&mut redis, "classic:renew") < Some(Duration::from_millis(4_800)));
    let (aged, remaining) = (lease(&mut redis, "classic:renew"), guard.remaining());
    guard.renew().await.expect("it is ours");
    assert!(lease(&mut redis, "classic:renew") > aged);
    assert!(guard.remaining() > remaining);
    assert_eq!(owner(&mut redis, "classic:renew"), value);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewal_goes_on_by_itself_and_not_when_it_is_off() {
    let process = process().await;
    let mut redis = redis();
    let kept = process.lock("renewed").ttl(SHORT * 2).acquire().await.expect("it is free");
    let left = process.lock("not-renewed").ttl(SHORT).renew(false).acquire().await.expect("it is free");
    let start = Instant::now();
    eventually("the lease that is not renewed ends", SOON, || !redis.exists("classic:not-renewed"));
    eventually("three leases have passed", SOON, || {
        assert!(redis.exists("classic:renewed") && kept.is_held(), "lost after {:?}", start.elapsed());
        start.elapsed() > SHORT * 6
    });
    assert!(!left.is_held());
    assert!(left.ensure_held().is_err_and(|err| err.is_lost()));
}

#[tokio::test]
async fn renew_does_not_take_back_what_somebody_else_has() {
    let process = process().await;
    let mut redis = redis();
    let guard = process.lock("taken").renew(false).acquire().await.expect("it is free");
    assert!(redis.command(&["SET", "classic:taken", "somebody", "PX", "30000"]).is_ok());
    let refused = guard.renew().await.err();
    assert!(refused.as_ref().is_some_and(LockError::is_lost), "{refused:?}");
    assert!(!guard.is_held());
    drop(guard);
    assert_eq!(owner(&mut redis, "classic:taken").as_deref(), Some("somebody"));
}

#[tokio::test]
async fn release_gives_it_to_the_next() {
    let (ours, theirs) = (process().await, process().await);
    let guard = ours.lock("release").acquire().await.expect("it is free");
    assert!(theirs.lock("release").try_acquire().await.expect("an answer").is_none());
    guard.release().await.expect("it is ours");
    assert!(theirs.lock("release").try_acquire().await.expect("an answer").is_some());
}

#[tokio::test]
async fn release_deletes_only_what_is_ours() {
    let process = process().await;
    let mut redis = redis();
    let guard = process.lock("not-ours").acquire().await.expect("it is free");
    assert!(redis.command(&["SET", "classic:not-ours", "somebody", "PX", "30000"]).is_ok());
    let refused = guard.release().await.err();
    assert!(refused.as_ref().is_some_and(LockError::is_lost), "{refused:?}");
    assert_eq!(owner(&mut redis, "classic:not-ours").as_deref(), Some("somebody"));
}

#[tokio::test]
async fn the_prefix_is_free() {
    let mut redis = redis();
    for (namespace, key) in [("process_lock_", "process_lock_job:7"), ("shop", "shop:job:7"), ("a:b:", "a:b:job:7")] {
        let builder =
            Runtime::builder().turns(with_turns()).redis(RedisServer::shared().url()).namespace(namespace).ttl(LONG);
        let process = builder.build().await.expect("a runtime");
        let guard = process.lock("job:7").acquire().await.expect("it is free");
        assert!(redis.exists(key), "{key}");
        guard.release().await.expect("it is ours");
        assert!(!redis.exists(key), "{key}");
    }
}

#[tokio::test]
async fn the_owner_tag_is_random_and_new_with_every_hold() {
    let (ours, theirs) = (process().await, process().await);
    let mut redis = redis();
    let mut seen = Vec::new();
    for process in [&ours, &ours, &theirs] {
        let guard = process.lock("tag").acquire().await.expect("it is free");
        let tag = redis.token("classic:tag").expect("a tag");
        assert!(tag.len() >= 22, "128 random bits do not fit into {tag:?}");
        assert!(!seen.contains(&tag));
        seen.push(tag);
        guard.release().await.expect("it is ours");
    }
}

#[tokio::test]
async fn the_fence_rises_with_every_hold_and_outlives_it() {
    let (ours, theirs) = (process().await, process().await);
    let mut redis = redis();
    let mut last = 0;
    for process in [&ours, &theirs, &ours, &theirs] {
        let guard = process.lock("fence").acquire().await.expect("it is free");
        assert!(guard.fence() > last, "{} after {last}", guard.fence());
        last = guard.fence();
        assert!(last < 1 << 53, "a Lua number holds it");
        guard.release().await.expect("it is ours");
        assert!(!redis.exists("classic:fence"), "and nothing of the lock does");
        assert!(redis.fence_clock() >= Some(last), "the server knows of fence {last}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helper_keys_share_the_hash_tag_of_the_key() {
    let process = process().await;
    let mut redis = redis();
    let guard = process.lock("{order:7}:pay").acquire().await.expect("it is free");
    assert!(redis.exists("classic:{order:7}:pay"));
    let other = self::process().await;
    let waiting = tokio::spawn(other.lock("{order:7}:pay").acquire());
    for helper in ["queue", "seen"] {
        eventually("somebody waits", SOON, || redis.exists(&format!("classic:{{order:7}}:pay:{helper}")));
    }
    guard.release().await.expect("it is ours");
    waiting.await.expect("no panic").expect("its turn").release().await.expect("it is ours");
}

#[tokio::test]
async fn a_body_under_the_lock_gives_its_value() {
    let process = process().await;
    let mut redis = redis();
    let guard = process.lock("body").acquire().await.expect("it is free");
    let inside = guard.run(async { redis.exists("classic:body") }).await.expect("held throughout");
    assert!(inside);
    guard.release().await.expect("it is ours");
    assert!(!redis.exists("classic:body"));
}

#[tokio::test]
async fn the_unix_socket_leads_to_the_same_locks() {
    let url = RedisServer::shared().socket_url();
    let local = Runtime::builder()
        .turns(with_turns())
        .redis(url)
        .namespace("classic")
        .ttl(LONG)
        .build()
        .await
        .expect("a runtime");
    let guard = local.lock("socket").acquire().await.expect("it is free");
    assert!(redis().exists("classic:socket"));
    assert!(process().await.lock("socket").try_acquire().await.expect("an answer").is_none());
    guard.release().await.expect("it is ours");
}

#[test]
fn one_runtime_serves_one_tokio_runtime_after_the_other() {
    let tokio = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    let process = tokio().block_on(process());
    for _ in 0..3 {
        let guard = tokio().block_on(process.lock("tokio").acquire()).expect("it is free");
        assert!(guard.is_held());
        tokio().block_on(guard.renew()).expect("ours");
        tokio().block_on(guard.release()).expect("ours");
        assert!(!redis().exists("classic:tokio"));
    }
}
