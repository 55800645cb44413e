//! The server is killed, restarted, paused, or forgets scripts and connections.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use dlock_testkit::{RedisServer, eventually};

use crate::{KEPT, SLACK, SOON, TTL, WAIT, assert_unavailable, error, in_time, on, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_unavailable_and_never_busy() {
    let mut server = RedisServer::start();
    let runtime = on(server.url()).await;
    server.kill();
    assert_unavailable(&error(in_time(&runtime, "down").await));
    let start = Instant::now();
    assert_unavailable(&error(runtime.lock("down").try_acquire().await));
    assert_unavailable(&error(runtime.is_locked("down").await));
    assert_unavailable(&error(runtime.inspect("down").await));
    assert_unavailable(&error(runtime.wait_until_free("down", WAIT).await));
    assert!(start.elapsed() < SOON * 2, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_ends_the_body_when_the_lease_is_over() {
    let mut server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = in_time(&runtime, "ends").await.expect("it is free");
    server.kill();
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL + SLACK, "{:?}", start.elapsed());
    // With nobody to tell, giving it back is not worth a hang.
    let start = Instant::now();
    let _ = guard.release().await;
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_serves_the_same_runtime_and_fences_rise() {
    let mut server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = in_time(&runtime, "restart").await.expect("it is free");
    let fence = guard.fence();
    server.kill();
    let waiting = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.lock("restart:waited").wait(SOON).acquire().await.map(drop) }
    });
    server.restart();
    waiting.await.expect("no panic").expect("it came back while we waited");
    // The restarted server knows nothing of the old hold: the holder must notice, or two would go on.
    let lost = tokio::time::timeout(TTL + SLACK, guard.run(std::future::pending::<()>())).await;
    assert!(error(lost.expect("it notices")).is_lost());
    let next = runtime.lock("restart").wait(SOON).acquire().await.expect("it is free");
    assert!(next.fence() > fence, "{} after {fence}", next.fence());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_is_unavailable_within_wait_and_leaves_no_orphan() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    server.pause();
    assert_unavailable(&error(in_time(&runtime, "paused").await));
    let long = runtime.lock("paused:long").ttl(SOON * 10);
    assert_unavailable(&error(long.acquire().await));
    server.resume();
    // The requests are in its socket: they run now, and the keeper undoes them.
    let mut raw = server.raw();
    eventually("no orphan of the long lease", SOON, || !raw.exists("faults:paused:long"));
    assert!(runtime.shutdown(SOON).await);
    assert!(!raw.exists("faults:paused:long"), "nor later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_pause_of_the_server_loses_nothing() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let ttl = TTL * 5;
    let guard = runtime.lock("short-pause").ttl(ttl).acquire().await.expect("it is free");
    let done = AtomicBool::new(false);
    let pauses = async {
        for _ in 0..3 {
            server.pause();
            tokio::time::sleep(TTL / 2).await;
            server.resume();
            tokio::time::sleep(ttl / 2).await;
        }
        done.store(true, Ordering::Release);
    };
    let (result, ()) = tokio::join!(guard.run(until(&done)), pauses);
    result.expect("held throughout");
    guard.release().await.expect("still ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_beyond_the_lease_ends_the_body_before_anybody_else_gets_the_lock() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = in_time(&runtime, "long-pause").await.expect("it is free");
    server.pause();
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL + SLACK, "{:?}", start.elapsed());
    server.resume();
    drop(guard);
    let _free = runtime.lock("long-pause").wait(SOON).acquire().await.expect("it is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let mut flush = || assert!(raw.command(&["SCRIPT", "FLUSH", "SYNC"]).is_ok());
    flush();
    let guard = runtime.lock("flush").ttl(KEPT).acquire().await.expect("it is free");
    flush();
    guard.renew().await.expect("still ours");
    flush();
    assert!(runtime.is_locked("flush").await.expect("an answer"));
    flush();
    // The keeper renews through its own connection.
    let start = Instant::now();
    eventually("two leases have passed", SOON, || start.elapsed() > KEPT * 2);
    assert!(guard.is_held());
    flush();
    guard.release().await.expect("still ours");
    let dropped = runtime.lock("flush").ttl(SOON * 10).acquire().await.expect("it was given back");
    flush();
    drop(dropped);
    eventually("the keeper has released it", SOON, || !server.raw().exists("faults:flush"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_cost_no_lock() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let mut kill = || {
        for kind in ["normal", "pubsub"] {
            assert!(raw.command(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]).int().is_some());
        }
    };
    let ttl = KEPT * 2;
    let guard = runtime.lock("client-kill").ttl(ttl).acquire().await.expect("it is free");
    let done = AtomicBool::new(false);
    let kills = async {
        for round in 0..4 {
            kill();
            let other = in_time(&runtime, &format!("client-kill:{round}")).await.expect("connected again");
            kill();
            other.release().await.expect("still ours");
            tokio::time::sleep(ttl / 4).await;
        }
        done.store(true, Ordering::Release);
    };
    let (result, ()) = tokio::join!(guard.run(until(&done)), kills);
    result.expect("held throughout");
    kill();
    guard.release().await.expect("still ours");
    assert!(!server.raw().exists("faults:client-kill"));
}
