//! To renew and to release, and what a lock is in Redis.

use std::time::{Duration, Instant};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{RedisServer, eventually, with_turns};

use crate::{LONG, SHORT, SOON, lease, owner, process, redis};

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
