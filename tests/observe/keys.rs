//! Metrics are labelled by template, events and spans carry the key unless the builder says otherwise, and tokens and
//! passwords are told nowhere.

use std::{error::Error, future::pending, time::Duration};

use dlock_runtime::{Builder, LockError, Runtime, distributed_lock};
use dlock_testkit::{
    RedisServer, Value, eventually,
    log::{said, warnings},
};

use crate::{
    MS, SECOND, SOON,
    kit::{all_metrics, listen, metric},
};

const PASSWORD: &str = "opensesame";

fn server() -> (RedisServer, Builder) {
    listen();
    let server = RedisServer::start_with(&["--requirepass", PASSWORD]);
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/", server.port());
    (server, Runtime::builder().redis(url).namespace("observe"))
}

#[distributed_lock(key = "order:<customer>", ttl = 1, wait = 0.05)]
async fn order(customer: &str, takes: Duration) -> Result<(), LockError> {
    tokio::time::sleep(takes).await;
    Ok(())
}

#[distributed_lock(key = "brief:<customer>", ttl = 0.1, renew = false)]
async fn too_slow(customer: &str) -> Result<(), LockError> {
    pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_counted_by_template_and_logged_with_its_key_and_nothing_secret_is_logged() {
    let (server, builder) = server();
    let runtime = builder.install().await.expect("a runtime");

    order("alice", Duration::ZERO).await.expect("free");
    let slow = tokio::spawn(order("bob", SECOND * 3 / 2));
    eventually("bob's lock is held", SOON, || metric("dlock_acquired_total{lock=order:<customer>}").0 >= 2.0);
    let mut redis = server.raw();
    assert!(redis.command(&["AUTH", PASSWORD]).is_ok());
    let token = redis.token("observe:order:bob").expect("it is held");
    let busy = order("bob", Duration::ZERO).await.expect_err("held");
    assert!(busy.is_busy(), "{busy}");
    slow.await.expect("no panic").expect("renewed");
    let lost = too_slow("carol").await.expect_err("not renewed");
    assert!(lost.is_lost(), "{lost}");
    drop(runtime.lock("by:hand:dave").acquire().await.expect("free"));
    assert!(runtime.shutdown(SOON).await);

    let order = |name: &str| metric(&format!("{name}{{lock=order:<customer>}}"));
    assert_eq!(order("dlock_attempts_total").0, 3.0);
    assert_eq!(order("dlock_acquired_total").0, 2.0);
    assert_eq!(order("dlock_busy_total").0, 1.0);
    assert_eq!(order("dlock_wait_seconds").1, 2);
    let (held, holds) = order("dlock_hold_seconds");
    assert!(holds == 2 && held >= 1.5, "{held} s in {holds} holds");
    assert!(order("dlock_renewals_total").0 >= 1.0, "one and a half seconds with a TTL of one");
    assert_eq!(metric("dlock_lost_total{lock=brief:<customer>,reason=expired}").0, 1.0);
    assert_eq!(metric("dlock_hold_seconds{lock=brief:<customer>}").1, 1, "a hold that was lost is one too");
    assert!(metric("dlock_keeper_releases_total{lock=(by hand)}").0 >= 1.0);
    assert_eq!(metric("dlock_failed_total{lock=order:<customer>}").1, 0, "the negative control of the counting");

    for text in [
        "dlock.acquire lock=order:<customer> key=order:alice ",
        "dlock.hold lock=order:<customer> key=order:alice ",
        "message=acquired lock=order:<customer> key=order:alice ",
        "message=released lock=order:<customer> key=order:alice ",
        "message=busy lock=order:<customer> key=order:bob ",
        "message=renewed lock=order:<customer> key=order:bob ",
        "message=lost lock=brief:<customer> key=brief:carol ",
        "message=acquired lock=(by hand) key=by:hand:dave ",
    ] {
        assert!(!said(text).is_empty(), "the log does not say {text:?}:\n{:#?}", said(""));
    }
    assert!(token.len() > 32);
    for secret in [PASSWORD, &token, &token[..32], "redis://"] {
        assert!(said(secret).is_empty(), "the log tells {secret:?}");
    }
    let metrics = all_metrics();
    for secret in [PASSWORD, &token[..32], "alice", "bob", "carol", "dave", "redis://"] {
        assert!(!metrics.contains(secret), "the metrics tell {secret:?}");
    }
    let shown = format!("{runtime:?} {:?}", Runtime::builder().redis(format!("redis://:{PASSWORD}@host/")));
    assert!(!shown.contains(PASSWORD), "{shown}");
    let wrong = Runtime::builder().redis(format!("redis://:{PASSWORD}@host:port/")).build().await.expect_err("no port");
    assert!(!format!("{wrong} {wrong:?}").contains(PASSWORD), "{wrong:?}");
}

#[distributed_lock(key = customer.to_lowercase(), label = "customer", runtime = runtime)]
async fn labelled(runtime: &Runtime, customer: &str) -> Result<(), LockError> {
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_events_and_spans_call_a_lock_by_its_label() {
    listen();
    let runtime = Runtime::builder().embedded().namespace("labels").build().await.expect("a runtime");
    labelled(&runtime, "Frank").await.expect("free");
    let by_hand = runtime.lock("frank").label("customer by hand").acquire().await.expect("free");
    by_hand.release().await.expect("held");
    assert!(runtime.shutdown(SOON).await);
    for label in ["customer", "customer by hand"] {
        for name in ["dlock_attempts_total", "dlock_acquired_total", "dlock_wait_seconds", "dlock_hold_seconds"] {
            assert_eq!(metric(&format!("{name}{{lock={label}}}")).1, 1, "{name} of {label}");
        }
        assert!(!said(&format!("message=acquired lock={label} key=frank ")).is_empty());
    }
    assert!(!said("dlock.hold lock=customer key=frank ").is_empty());
    // The negative control: without a label these are their names.
    assert!(!all_metrics().contains("to_lowercase"), "{}", all_metrics());
}

#[distributed_lock(key = "patient:<name>", ttl = 1, wait = 5, runtime = runtime)]
async fn treat(runtime: &Runtime, name: &str) -> Result<(), LockError> {
    tokio::time::sleep(300 * MS).await;
    Ok(())
}

/// Whatever can be told of a lock is told of one whose key holds `name`.
async fn everything_happens_to(name: &str, server: &mut RedisServer, builder: Builder) {
    let runtime = builder.ttl(SECOND).warn_after(100 * MS).wait(SECOND).build().await.expect("a runtime");
    treat(&runtime, name).await.expect("free");
    let key = format!("patient:{name}");
    let held = runtime.lock(&key).acquire().await.expect("free");
    let second = runtime.lock(&key).try_acquire().await.expect("an answer");
    assert!(second.is_none(), "held");
    let mut raw = server.raw();
    assert!(raw.command(&["AUTH", PASSWORD]).is_ok());
    assert_eq!(raw.command(&["DEL", &format!("observe:{key}")]).int(), Some(1));
    assert!(held.release().await.expect_err("deleted").is_lost());
    // A key that holds something else, and one that the script does not come to.
    assert!(raw.command(&["LPUSH", "observe:patient:list", name]).int().is_some());
    assert!(runtime.lock("patient:list").acquire().await.is_err());
    let dropped = runtime.lock(&key).acquire().await.expect("free");
    server.kill();
    assert!(runtime.lock(&key).wait(100 * MS).acquire().await.is_err());
    drop(dropped);
    assert!(runtime.shutdown(SOON).await);
    server.restart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_log_keys_no_event_and_no_span_has_a_key() {
    let (mut server, builder) = server();
    everything_happens_to("erika-open", &mut server, builder.clone()).await;
    let of = |name: &str, what: &str| said(what).iter().filter(|(_, line)| line.contains(name)).count();
    for what in ["dlock.acquire", "dlock.hold", "acquired", "busy", "released", "lost", "held for long"] {
        assert!(of("erika-open", what) > 0, "the negative control: {what:?} is told with the key");
    }
    everything_happens_to("erika-hidden", &mut server, builder.log_keys(false)).await;
    assert_eq!(said("erika-hidden"), []);
    assert!(!all_metrics().contains("erika"), "{}", all_metrics());
    let holds = said("dlock.hold lock=patient:<name>");
    assert!(holds.iter().any(|(_, line)| !line.contains("key=")), "the field is absent: {holds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_repeats_what_it_was_asked_brings_no_token_into_the_log() {
    listen();
    // What it says of a command that it does not know has the first of its arguments: keys, and the owner token.
    let server = RedisServer::start_with(&["--rename-command", "EVALSHA", "", "--rename-command", "EVAL", ""]);
    let runtime = Runtime::builder().redis(server.url()).connect_lazily().wait(100 * MS).build().await.expect("lazy");
    let mut raw = server.raw();
    let mut channel = None;
    eventually("it listens", SOON, || {
        if let Value::List(channels) = raw.command(&["PUBSUB", "CHANNELS", "dlock:*"]) {
            channel = channels.first().and_then(Value::text).map(str::to_owned);
        }
        channel.is_some()
    });
    let identity = channel.expect("found").split(':').nth(1).expect("an identity").to_owned();
    assert!(identity.len() >= 32, "{identity}");
    let error = runtime.lock("rep").acquire().await.expect_err("it cannot work");
    let mut chain = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(error) = source {
        chain.push_str(&error.to_string());
        source = error.source();
    }
    assert!(chain.contains("unknown command"), "the negative control: {chain}");
    assert!(!chain.contains(&identity), "{chain}");
    let lines = || said("message=not acquired lock=(by hand) key=rep ");
    eventually("it is told", SOON, || lines().iter().any(|(_, line)| line.contains("unknown command")));
    assert_eq!(said("with args beginning with"), []);
    assert_eq!(said(&identity), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_store_that_is_connected_lazily_is_reported_once() {
    let (server, _) = server();
    let url = format!("redis://:{PASSWORD}-not@127.0.0.1:{}/", server.port());
    let runtime = Runtime::builder().redis(url).connect_lazily().build().await.expect("it asks nobody");
    let store = format!("store=127.0.0.1:{} ", server.port());
    let lines = || warnings(&store);
    eventually("it is told", SOON, || !lines().is_empty());
    let error = runtime.lock("wrong").acquire().await.expect_err("it cannot work");
    assert!(error.is_config(), "{error:?}");
    tokio::time::sleep(SECOND / 2).await;
    let lines = lines();
    assert!(lines.len() == 1 && lines[0].contains("refuses this client"), "{lines:#?}");
    assert_eq!(said(PASSWORD), []);
}
