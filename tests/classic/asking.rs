//! To ask who holds a lock, and to wait until nobody does.

use std::time::{Duration, Instant};

use crate::{LONG, SHORT, SOON, lease, process, redis};

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
