//! Something between us and the data says no for a while, in words of its own: a server that became a replica, a
//! proxy, a user whose password or commands change. A lock that is held is kept, and a request waits or says that the
//! store cannot be asked.

use std::time::Instant;

use dlock_runtime::Runtime;
use dlock_testkit::{Fault, Raw, RedisServer, Rule, eventually};

use crate::{KEPT, SLACK, SOON, TTL, WAIT, assert_unavailable, error, in_time, on, proxied, words};

/// Long enough for a second of trouble.
const LEASE: std::time::Duration = KEPT.saturating_mul(4);

/// As a script on Redis 6.2 says that it runs on a replica.
const DISGUISED: &str = "ERR Error running script (call to f_0): @user_script:4: @user_script: 4: -READONLY You can't \
                         write against a read only replica.";

fn pass(what: &str, time: std::time::Duration) {
    let start = Instant::now();
    eventually(what, SOON * 4, || start.elapsed() > time);
}

/// A user of the server and a runtime of that user.
async fn user(server: &RedisServer, rules: &[&str]) -> (Raw, Runtime) {
    let mut raw = server.raw();
    let rules = [&["ACL", "SETUSER", "limited", "reset", "on", ">hunter2", "~*", "&*", "+@all"], rules].concat();
    assert!(raw.command(&rules).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
    (raw, runtime)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_of_any_error_loses_no_lock_and_only_delays_a_request() {
    let errors = [
        DISGUISED,
        "READONLY You can't write against a read only replica.",
        "ERR upstream failure",
        "upstream connect error or disconnect/reset before headers",
        "NOAUTH Authentication required.",
        "NOPERM this user has no permissions to run the 'evalsha' command",
        "ERR unknown command 'EVAL'",
        "OOM command not allowed when used memory > 'maxmemory'.",
    ];
    crate::each(errors, |words| async move {
        let (_server, proxy, runtime, _raw) = proxied().await;
        let guard = runtime.lock("kept").ttl(LEASE).acquire().await.expect("it is free");
        let waits = !["NOPERM", "ERR unknown", "OOM"].iter().any(|start| words.starts_with(start));
        proxy.add(Rule::new(Fault::Refuse(words.to_owned())).matching("EVAL"));
        proxy.add(Rule::new(Fault::Refuse(words.to_owned())).matching("SCRIPT"));
        let other = tokio::spawn(runtime.lock("other").wait(SOON * 4).acquire());
        // The renewal that was due strikes the trouble, and comes again after it.
        tokio::time::sleep(LEASE / 2).await;
        assert!(proxy.struck() >= 2, "{words}: a request and a renewal");
        guard.ensure_held().unwrap_or_else(|err| panic!("{words}: {err:?}"));
        proxy.heal();
        if waits {
            drop(other.await.expect("no panic").unwrap_or_else(|err| panic!("{words}: {err:?}")));
        }
        let start = Instant::now();
        while start.elapsed() < LEASE * 4 / 3 {
            tokio::time::sleep(TTL / 5).await;
            guard.ensure_held().unwrap_or_else(|err| panic!("{words}: {err:?}"));
        }
        guard.release().await.unwrap_or_else(|err| panic!("{words}: {err:?}"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_that_nobody_knows_ends_as_unavailable_with_its_words_and_leaves_nothing() {
    let (_server, proxy, runtime, mut raw) = proxied().await;
    proxy.add(Rule::new(Fault::Refuse("ERR upstream failure".to_owned())).matching("stays"));
    let refused = error(in_time(&runtime, "stays").await);
    assert_unavailable(&refused);
    assert!(words(&refused).contains("upstream failure"), "{refused:?}");
    assert!(refused.key().is_some_and(|key| key.to_string() == "stays"), "{refused:?}");
    assert!(proxy.struck() > 3, "it was asked again within `wait`");
    let before = proxy.connections();
    assert!(before > 0, "an answer in words of its own breaks no connection");
    proxy.heal();
    assert!(!raw.exists("faults:stays"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_after_the_command_ran_leaves_no_lock_behind() {
    // A proxy may lose the answer of its server and say so in its own words.
    let (_server, proxy, runtime, mut raw) = proxied().await;
    proxy.add(Rule::new(Fault::Swallow).matching("ran").times(1));
    proxy.add(Rule::new(Fault::Refuse("ERR upstream failure".to_owned())).matching("ran:"));
    let refused = error(runtime.lock("ran:k").ttl(SOON * 10).wait(WAIT).acquire().await);
    assert_unavailable(&refused);
    proxy.heal();
    eventually("the keeper gave it back", SOON, || !raw.exists("faults:ran:k"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_a_replica_for_a_while_loses_no_lock() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let mut raw = server.raw();
    let guard = runtime.lock("demoted").ttl(LEASE).acquire().await.expect("it is free");
    // Nobody is there to replicate from, so that it keeps its data.
    assert!(raw.command(&["REPLICAOF", "127.0.0.1", "1"]).is_ok());
    assert_unavailable(&error(in_time(&runtime, "demoted:other").await));
    pass("a renewal was due", LEASE / 3);
    assert!(guard.is_held());
    assert!(raw.command(&["REPLICAOF", "NO", "ONE"]).is_ok());
    pass("the first lease has passed", LEASE);
    guard.release().await.expect("held throughout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_the_master_takes_its_connection_out_of_service() {
    let (_server, proxy, runtime, mut raw) = proxied().await;
    let connected = |raw: &mut Raw| raw.figure("stats", "total_connections_received");
    for refusal in [DISGUISED, "READONLY You can't write against a read only replica."] {
        let before = connected(&mut raw);
        proxy.add(Rule::new(Fault::Refuse(refusal.to_owned())).matching("moved").times(1));
        // Who tries but once is asked again on the new connection, which may lead to the new master.
        let guard = runtime.lock("moved").try_acquire().await.expect("an answer").expect("free");
        assert!(connected(&mut raw) > before, "{refusal}");
        guard.release().await.expect("ours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_rotated_loses_no_lock_and_is_asked_for_again() {
    let server = RedisServer::start();
    let (mut raw, runtime) = user(&server, &[]).await;
    let guard = runtime.lock("rotated").ttl(LEASE).acquire().await.expect("it is free");
    assert!(raw.command(&["ACL", "SETUSER", "limited", "resetpass", ">hunter3"]).is_ok());
    assert!(raw.command(&["CLIENT", "KILL", "USER", "limited"]).int().is_some());
    let refused = error(in_time(&runtime, "rotated:other").await);
    assert_unavailable(&refused);
    let waiting = tokio::spawn(runtime.lock("rotated:waits").wait(SOON).acquire());
    pass("a renewal was due", LEASE / 3);
    assert!(guard.is_held());
    assert!(raw.command(&["ACL", "SETUSER", "limited", ">hunter2"]).is_ok());
    drop(waiting.await.expect("no panic").expect("let in again within `wait`"));
    pass("the first lease has passed", LEASE);
    guard.release().await.expect("held throughout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_script_or_evalsha_is_served_by_eval() {
    for missing in [&["-script"][..], &["-evalsha"], &["-script", "-evalsha"]] {
        let server = RedisServer::start();
        let (mut raw, runtime) = user(&server, missing).await;
        assert!(raw.command(&["SCRIPT", "FLUSH"]).is_ok());
        let guard = runtime.lock("texts").ttl(KEPT).acquire().await.expect("it is free");
        guard.renew().await.expect("ours");
        assert!(raw.command(&["SCRIPT", "FLUSH"]).is_ok());
        pass("two leases have passed", KEPT * 2);
        assert!(guard.is_held(), "{missing:?}");
        assert!(runtime.is_locked("texts").await.expect("an answer"));
        guard.release().await.expect("held throughout");
        assert!(!raw.exists("faults:texts"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_names_the_server_and_not_the_password() {
    let mut server = RedisServer::start();
    let (_raw, runtime) = user(&server, &[]).await;
    server.kill();
    let place = format!("127.0.0.1:{}", server.port());
    let refused = error(runtime.lock("named").wait(SLACK).acquire().await);
    assert!(words(&refused).contains(&place), "{refused:?}");
    assert!(!format!("{refused:?} {}", words(&refused)).contains("hunter2"), "{refused:?}");
}
