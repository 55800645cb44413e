//! Connections that were idle and died of it without a word: by the server's `timeout`, by a gateway that resets them,
//! by one that forgot them. Whoever asks next does not hear of that, not even who asks but once.

use std::time::Duration;

use dlock_runtime::{Runtime, redis::Client};
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, eventually, with_turns};

use crate::{SOON, on, proxied};

const ROUNDS: usize = 20;

/// How many clients are there, listeners apart, and what their heartbeats go by.
fn clients(raw: &mut dlock_testkit::Raw) -> usize {
    let list = raw.command(&["CLIENT", "LIST", "TYPE", "normal"]);
    list.text().expect("a list").lines().filter(|line| !line.contains("cmd=role")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_tries_once_and_an_inspection_work_after_the_server_closed_an_idle_connection() {
    let server = RedisServer::start_with(&["--timeout", "1"]);
    let mut runtimes = Vec::new();
    for _ in 0..ROUNDS * 2 {
        runtimes.push(on(server.url()).await);
    }
    let mut raw = server.raw();
    eventually("all but this one are closed", SOON * 2, || clients(&mut raw) == 1);
    for (round, runtime) in runtimes.iter().enumerate() {
        if round % 2 == 0 {
            let locked = runtime.is_locked(format!("idle:{round}")).await;
            assert!(!locked.unwrap_or_else(|err| panic!("{round}: {err:?}")));
            continue;
        }
        let guard = runtime.lock(format!("idle:{round}")).try_acquire().await;
        drop(guard.unwrap_or_else(|err| panic!("{round}: {err:?}")).expect("free"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_fails_because_its_connection_was_reset_while_idle() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    for round in 0..ROUNDS {
        let key = format!("reset:{round}");
        proxy.close_all();
        let guard = runtime.lock(&key).ttl(SOON).try_acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{round}: {err:?}")).expect("free");
        proxy.close_all();
        guard.renew().await.unwrap_or_else(|err| panic!("{round}: {err:?}"));
        proxy.close_all();
        let locked = runtime.is_locked(&key).await;
        assert!(locked.unwrap_or_else(|err| panic!("{round}: {err:?}")));
        proxy.close_all();
        assert!(runtime.inspect(&key).await.unwrap_or_else(|err| panic!("{round}: {err:?}")).is_some());
        proxy.close_all();
        guard.release().await.unwrap_or_else(|err| panic!("{round}: {err:?}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_operation_fails_because_its_idle_connection_broke_under_its_command() {
    // It may have been carried out: the second copy gets the same answer as the first would have.
    for fault in [Fault::CutBefore, Fault::CutAfter, Fault::Swallow] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        let strike = || proxy.add(Rule::new(fault.clone()).matching("broke").times(1));
        let key = "broke";
        strike();
        let guard = runtime.lock(key).ttl(SOON).try_acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{fault:?}: {err:?}")).expect("free");
        strike();
        guard.renew().await.unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
        strike();
        let locked = runtime.is_locked(key).await;
        assert!(locked.unwrap_or_else(|err| panic!("{fault:?}: {err:?}")));
        strike();
        guard.release().await.unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
        assert!(!raw.exists("faults:broke"), "{fault:?}");
        assert_eq!(proxy.struck(), 4, "{fault:?}");
        assert!(runtime.shutdown(SOON).await);
        assert!(!raw.exists("faults:broke"), "{fault:?}: nor later");
    }
}

/// Found by the simulation: each of them was given up before its reply was due, so none blamed the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_mute_is_given_up_by_requests_of_little_patience() {
    let (_server, proxy, runtime, mut raw) = proxied().await;
    proxy.add(Rule::new(Fault::Swallow).matching("mute").times(1));
    let patience = Duration::from_millis(100);
    let mut tries = 0;
    let guard = loop {
        match runtime.lock("mute").wait(patience).acquire().await {
            Ok(guard) => break guard,
            Err(error) => assert!(error.is_unavailable() || error.is_busy(), "{error:?}"),
        }
        tries += 1;
        assert!(tries < 50, "the connection is used for ever");
    };
    assert!(tries > 0, "the first reply was swallowed");
    guard.release().await.expect("ours");
    assert!(runtime.shutdown(SOON).await);
    assert!(!raw.exists("faults:mute"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_carried_out_late_leaves_no_lock_behind() {
    let (_server, proxy, runtime, mut raw) = proxied().await;
    proxy.add(Rule::new(Fault::Hold).matching("late").times(1));
    let first = tokio::spawn(runtime.lock("late").ttl(SOON * 10).try_acquire());
    eventually("the first copy is held on the way", SOON, || proxy.struck() == 1);
    let guard = first.await.expect("no panic").expect("an answer").expect("free");
    guard.release().await.expect("ours");
    let before = raw.fence_clock();
    proxy.heal();
    eventually("the first copy was carried out", SOON, || raw.fence_clock() != before);
    eventually("the keeper gave it back", SOON, || !raw.exists("faults:late"));
    assert!(runtime.shutdown(SOON).await);
    assert!(!raw.exists("faults:late"), "nor later");
}

/// The kernel's view of the sockets of this process is what counts; it is in no file that every system has.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_socket_is_kept_alive() {
    let server = RedisServer::start();
    for by_client in [false, true] {
        let proxy = Proxy::start(&server);
        let builder = Runtime::builder().turns(with_turns()).namespace("faults");
        let builder = if by_client {
            builder.redis_client(Client::open(proxy.url()).expect("a client"))
        } else {
            builder.redis(proxy.url())
        };
        let runtime = builder.build().await.expect("a runtime");
        drop(runtime.lock("keepalive").acquire().await.expect("free"));
        let port = proxy.url().rsplit(':').next().and_then(|rest| rest.trim_end_matches('/').parse::<u16>().ok());
        let port = format!(":{:04X}", port.expect("a port"));
        let table = || std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
        let lines = || table().lines().filter(|line| is_towards(line, &port)).map(str::to_owned).collect::<Vec<_>>();
        // The timer of a socket that is kept alive is 2 while it is idle.
        eventually("all of them have a keepalive timer", SOON, || {
            let lines = lines();
            lines.len() >= 2
                && lines.iter().all(|line| line.split_whitespace().nth(5).is_some_and(|t| t.starts_with("02:")))
        });
        assert!(with_turns() || !lines().is_empty());
    }
}

#[cfg(target_os = "linux")]
fn is_towards(line: &str, port: &str) -> bool {
    line.split_whitespace().nth(2).is_some_and(|remote| remote.ends_with(port))
        && line.split_whitespace().nth(3) == Some("01")
}

#[tokio::test]
async fn a_request_that_nobody_polls_keeps_no_other_from_connecting() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    for round in 0..ROUNDS {
        proxy.close_all();
        // A future that was begun and is left alone for now, as in a `select!` whose other branch awaits.
        let mut begun = Box::pin(runtime.lock(format!("begun:{round}")).acquire());
        for _ in 0..round % 4 {
            tokio::select! {
                biased;
                _ = &mut begun => break,
                () = tokio::task::yield_now() => {}
            }
        }
        let other = runtime.lock(format!("other:{round}")).ttl(SOON).try_acquire().await;
        drop(other.unwrap_or_else(|err| panic!("{round}: {err:?}")).expect("free"));
    }
}
