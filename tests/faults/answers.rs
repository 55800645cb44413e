//! The server answers with an error: of the moment, of the key's type, of permissions, of memory.

use std::time::Instant;

use dlock_runtime::LockError;
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, Value, eventually};

use crate::{KEPT, SLACK, SOON, TTL, WAIT, assert_unavailable, each, error, in_time, on, proxied, warm_up, words};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_pass_are_waited_for() {
    for code in ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY"] {
        let (_server, proxy, runtime, _raw) = proxied().await;
        proxy.add(Rule::new(Fault::Refuse(format!("{code} for a moment"))).matching("passing").times(2));
        let guard = runtime.lock("passing").wait(SOON).acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{code}: {err}"));
        assert_eq!(proxy.struck(), 2);
        proxy.add(Rule::new(Fault::Refuse(format!("{code} for a moment"))).matching("passing").times(1));
        guard.release().await.unwrap_or_else(|err| panic!("{code}: {err}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_do_not_pass_are_unavailable_within_wait() {
    let codes =
        ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "OOM", "NOREPLICAS", "MISCONF"];
    each(codes, |code| async move {
        let server = RedisServer::shared();
        let proxy = Proxy::start(server);
        let runtime = on(proxy.url()).await;
        warm_up(&runtime).await;
        let key = format!("staying:{code}");
        proxy.add(Rule::new(Fault::Refuse(format!("{code} and so it stays"))).matching(&key));
        let refused = error(in_time(&runtime, &key).await);
        assert!(refused.is_unavailable(), "{code}: {refused:?}");
        // Where it goes on trying, the last try may run out of time.
        let at_once = ["OOM", "NOREPLICAS", "MISCONF"].contains(&code);
        let told = words(&refused).contains("so it stays");
        assert!(told || !at_once, "{code}: the server's words are kept: {refused}");
        assert!(!server.raw().exists(&format!("faults:{key}")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_is_a_mistake_that_is_named_and_left_alone() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    raw.command(&["RPUSH", "faults:list", "not", "a", "lock"]);
    let start = Instant::now();
    let refused = error(runtime.lock("list").wait(SOON).acquire().await);
    assert!(matches!(refused, LockError::Config { .. }), "{refused:?}");
    assert!(refused.to_string().contains("list"), "{refused}");
    assert!(start.elapsed() < SLACK, "waiting would not help");
    assert_eq!(raw.command(&["LLEN", "faults:list"]), Value::Int(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_overwritten_with_another_type_is_a_loss_and_is_left_alone() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let guard = in_time(&runtime, "overwritten").await.expect("it is free");
    raw.command(&["DEL", "faults:overwritten"]);
    raw.command(&["RPUSH", "faults:overwritten", "not", "a", "lock"]);
    let start = Instant::now();
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() < TTL + SLACK);
    assert!(!guard.is_held());
    drop(guard);
    assert!(runtime.shutdown(SOON).await, "there is nothing to wait for");
    assert_eq!(raw.command(&["LLEN", "faults:overwritten"]), Value::Int(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_a_mistake_that_is_named() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let rules = ["ACL", "SETUSER", "limited", "on", ">hunter2", "~faults:allowed*", "~{faults:allowed*", "&*", "+@all"];
    let probe = ["~faults:dlock-probe:*", "~{faults:dlock-probe:*", "~dlock:fence-clock"];
    assert!(raw.command(&[&rules[..], &probe].concat()).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
    in_time(&runtime, "allowed").await.expect("this one may").release().await.expect("ours");
    let start = Instant::now();
    let refused = error(runtime.lock("forbidden").wait(SOON).acquire().await);
    assert!(matches!(refused, LockError::Config { .. }), "{refused:?}");
    assert!(refused.to_string().contains("forbidden"), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"), "no password in an error");
    assert!(start.elapsed() < SLACK, "waiting would not help");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_taken_away_under_a_hold_is_no_loss_before_its_time_is_over() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    assert!(raw.command(&["ACL", "SETUSER", "limited", "on", ">hunter2", "~*", "&*", "+@all"]).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
    let ttl = TTL * 5;
    let start = Instant::now();
    let guard = runtime.lock("taken").ttl(ttl).acquire().await.expect("it is free");
    assert!(raw.command(&["ACL", "SETUSER", "limited", "resetkeys"]).is_ok());
    assert!(error(guard.run(std::future::pending::<()>()).await).is_lost());
    assert!(start.elapsed() > ttl * 9 / 10, "it had more time: {:?}", start.elapsed());
    assert!(start.elapsed() < ttl + SLACK, "{:?}", start.elapsed());
    // One that comes back in time costs nothing.
    assert!(raw.command(&["ACL", "SETUSER", "limited", "~*"]).is_ok());
    let guard = runtime.lock("given-back").ttl(ttl).acquire().await.expect("it is free");
    assert!(raw.command(&["ACL", "SETUSER", "limited", "resetkeys"]).is_ok());
    std::thread::sleep(ttl / 2);
    assert!(raw.command(&["ACL", "SETUSER", "limited", "~*"]).is_ok());
    let start = Instant::now();
    eventually("the first lease has passed", SOON, || start.elapsed() > ttl);
    guard.release().await.expect("held throughout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_forbidden_inside_the_scripts_leaves_no_lock_behind() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    for command in ["-set", "-time", "-zcard"] {
        let rules = ["ACL", "SETUSER", "limited", "reset", "on", ">hunter2", "~*", "&*", "+@all"];
        assert!(raw.command(&rules).is_ok());
        let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
        assert!(raw.command(&["ACL", "SETUSER", "limited", command]).is_ok());
        let refused = error(runtime.lock("inner").ttl(SOON * 10).wait(WAIT).acquire().await);
        assert!(matches!(refused, LockError::Config { .. }), "{command}: {refused:?}");
        assert!(!raw.exists("faults:inner"), "{command}: a lock that nobody holds");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_new_locks_at_once_and_keeps_and_releases_old_ones() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let released = runtime.lock("full:released").ttl(KEPT).acquire().await.expect("it is free");
    let dropped = runtime.lock("full:dropped").ttl(SOON * 10).acquire().await.expect("it is free");
    // Less than it uses by itself: of a megabyte Redis 6.2 has some free again as soon as it has shrunk the buffers of its clients.
    assert!(raw.command(&["CONFIG", "SET", "maxmemory", "1"]).is_ok());
    assert!(raw.command(&["SET", "filler", "x"]).is_error("OOM"), "it is full");
    let start = Instant::now();
    assert_unavailable(&error(runtime.lock("full:new").wait(SOON).acquire().await));
    assert!(start.elapsed() < SOON, "there is nothing to wait for");
    released.renew().await.expect("renewing needs no memory");
    // The keeper renews too.
    let start = Instant::now();
    eventually("two leases have passed", SOON, || start.elapsed() > KEPT * 2);
    assert!(released.is_held() && dropped.is_held());
    released.release().await.expect("releasing needs no memory");
    drop(dropped);
    eventually("both are free", SOON, || !raw.exists("faults:full:released") && !raw.exists("faults:full:dropped"));
    assert!(raw.command(&["CONFIG", "SET", "maxmemory", "0"]).is_ok());
    let _new = in_time(&runtime, "full:new").await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_hands_a_lock_over_to_who_waits() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let runtime = on(server.url()).await;
    let (mut raw, mut listener) = (server.raw(), server.raw());
    let guard = runtime.lock("full").ttl(SOON * 10).acquire().await.expect("it is free");
    // A waiter of another process, who is not disturbed by a server that is full.
    let entry = "0a-1 30000 1 somebody";
    raw.command(&["APPEND", "faults:full", "+"]);
    raw.command(&["ZADD", "{faults:full}:queue", "1", entry]);
    raw.command(&["ZADD", "{faults:full}:seen", "inf", entry]);
    listener.command(&["SUBSCRIBE", "dlock:0a"]);
    assert!(raw.command(&["CONFIG", "SET", "maxmemory", "1"]).is_ok());
    assert!(raw.command(&["SET", "filler", "x"]).is_error("OOM"), "it is full");
    guard.release().await.expect("releasing needs no memory");
    assert_eq!(raw.token("faults:full").as_deref(), Some("0a-1"), "it is who waited that has it");
    let Ok(Value::List(message)) = listener.receive() else { panic!("no message") };
    assert!(message[2].text().is_some_and(|text| text.starts_with("granted 0a-1 ")), "{message:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_key_is_a_loss_that_the_next_renewal_finds() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guard = runtime.lock("deleted").ttl(TTL * 5).acquire().await.expect("it is free");
    server.raw().command(&["DEL", "faults:deleted"]);
    let start = Instant::now();
    let lost = error(guard.run(std::future::pending::<()>()).await);
    assert!(lost.is_lost());
    assert!(start.elapsed() < TTL * 5, "by a renewal, not by the end of the lease: {:?}", start.elapsed());
    assert_eq!(server.raw().command(&["GET", "faults:deleted"]), Value::Nil, "renewing does not bring it back");
}
