//! To acquire: at once, within a time, again.

use std::time::{Duration, Instant};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{Raw, RedisServer, with_turns};

use crate::{LONG, SHORT, SOON, lease, process, redis};

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
