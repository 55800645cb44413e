//! The network between us and the server delays, loses and cuts.

use std::time::{Duration, Instant};

use dlock_runtime::Runtime;
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, eventually, with_turns};

use crate::{KEPT, SLACK, SOON, TTL, WAIT, assert_unavailable, each, error, in_time, proxied, warm_up, words};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_whose_reply_was_lost_is_a_success_with_one_fence() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        proxy.add(Rule::new(fault.clone()).matching("unheard").times(1));
        // The lease outlasts the wait: only its own token lets the second question succeed.
        let guard = runtime.lock("unheard").ttl(SOON * 10).wait(SOON).acquire().await;
        let guard = guard.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 1);
        assert_eq!(raw.last_fence("faults:unheard"), Some(guard.fence()), "{fault:?}");
        guard.release().await.expect("still ours");
        assert!(!raw.exists("faults:unheard"), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquire_without_any_reply_is_unavailable_within_wait_and_undone() {
    for fault in [Fault::Swallow, Fault::CutAfter] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        proxy.add(Rule::new(fault.clone()).matching("no-reply"));
        let start = Instant::now();
        let lock = runtime.lock("no-reply").ttl(SOON * 10);
        assert_unavailable(&error(lock.acquire().await));
        assert!(start.elapsed() < WAIT + SLACK, "{:?}", start.elapsed());
        proxy.heal();
        proxy.close_all();
        eventually(&format!("{fault:?} is undone"), SOON, || !raw.exists("faults:no-reply"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_comes_after_the_lease_is_no_success() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let builder = Runtime::builder().turns(with_turns()).redis(proxy.url()).namespace("faults").ttl(TTL).wait(SOON);
    let runtime = builder.command_timeout(SOON).build().await.expect("a runtime");
    warm_up(&runtime).await;
    proxy.add(Rule::new(Fault::Delay(TTL * 2)).matching("too-late").times(1));
    let sent = Instant::now();
    match runtime.lock("too-late").renew(false).acquire().await {
        // A later try may have succeeded; the late yes itself was worth nothing.
        Ok(guard) => {
            assert!(guard.is_held() && guard.remaining() <= TTL);
            assert!(server.raw().exists("faults:too-late"));
        }
        Err(err) => assert!(err.is_unavailable() || err.is_lost(), "{err:?}"),
    }
    assert!(sent.elapsed() < SOON + SLACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_a_reply_took_is_not_part_of_the_lease() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    let late = Duration::from_millis(150);
    proxy.add(Rule::new(Fault::Delay(late)).matching("slow").times(1));
    let guard = runtime.lock("slow").renew(false).acquire().await.expect("it is free");
    assert!(guard.remaining() <= TTL - late, "{:?}", guard.remaining());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_whose_reply_is_lost_is_a_release() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        let guard = runtime.lock("unheard").ttl(SOON * 10).renew(false).acquire().await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("unheard").times(1));
        guard.release().await.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 1);
        assert!(!raw.exists("faults:unheard"), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_guard_is_released_through_a_broken_network() {
    for fault in [Fault::Swallow, Fault::CutAfter, Fault::CutBefore, Fault::Refuse("LOADING wait".into())] {
        let (_server, proxy, runtime, mut raw) = proxied().await;
        let guard = runtime.lock("dropped").ttl(SOON * 10).renew(false).acquire().await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("dropped").times(2));
        drop(guard);
        eventually(&format!("{fault:?}: released"), SOON, || !raw.exists("faults:dropped"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_without_a_reply_for_a_while_lose_nothing() {
    let faults = [Fault::Swallow, Fault::CutAfter, Fault::CutBefore, Fault::Refuse("LOADING wait".into())];
    each(faults, |fault| async move {
        let (_server, proxy, runtime, _raw) = proxied().await;
        // Two answers that never come cost a command timeout and a pause each.
        let ttl = KEPT * 4;
        let guard = runtime.lock("renewals").ttl(ttl).acquire().await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("renewals").times(2));
        guard.run(tokio::time::sleep(ttl + ttl / 4)).await.unwrap_or_else(|err| panic!("{fault:?}: {err}"));
        assert_eq!(proxy.struck(), 2, "{fault:?} did happen");
        guard.release().await.expect("still ours");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_that_never_get_a_reply_end_the_body_when_the_lease_is_over() {
    for fault in [Fault::Swallow, Fault::CutBefore, Fault::Hold, Fault::Refuse("LOADING wait".into())] {
        let (_server, proxy, runtime, _raw) = proxied().await;
        let guard = in_time(&runtime, "never").await.expect("it is free");
        proxy.add(Rule::new(fault.clone()).matching("never"));
        let start = Instant::now();
        let lost = error(guard.run(std::future::pending::<()>()).await);
        assert!(lost.is_lost(), "{fault:?}: {lost:?}");
        assert!(start.elapsed() < TTL + SLACK, "{fault:?}: {:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_cut_for_a_moment_is_bridged_within_wait() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    proxy.refuse();
    let acquiring = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.lock("bridged").wait(SOON).acquire().await.map(drop) }
    });
    tokio::time::sleep(TTL / 2).await;
    assert!(!acquiring.is_finished(), "it keeps trying within its wait");
    proxy.heal();
    acquiring.await.expect("no panic").expect("it is free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_that_is_shorter_than_a_round_trip_is_reported_with_both_times() {
    let (_server, proxy, runtime, _raw) = proxied().await;
    let ttl = Duration::from_millis(50);
    proxy.add(Rule::new(Fault::Delay(ttl * 3)).matching("far"));
    for wait in [WAIT, Duration::ZERO] {
        let refused = error(runtime.lock("far").ttl(ttl).wait(wait).acquire().await);
        assert_unavailable(&refused);
        let said = words(&refused);
        assert!(
            said.contains("the TTL of 50.0ms is shorter than a round trip") && said.contains("which took "),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_lost_because_a_round_trip_takes_too_long_says_so_with_both_times() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let builder = Runtime::builder().turns(with_turns()).redis(proxy.url()).command_timeout(SOON);
    let runtime = builder.build().await.expect("a runtime");
    warm_up(&runtime).await;
    proxy.add(Rule::new(Fault::Delay(KEPT * 4 / 5)).matching("slow"));
    let guard = runtime.lock("slow").ttl(KEPT).wait(SOON * 4).acquire().await.expect("just in time");
    let lost = error(guard.run(std::future::pending::<()>()).await);
    let said = lost.to_string();
    assert!(said.contains("its TTL of 1000 ms is too short for a round trip of"), "{said}");
}
