//! A master with a replica, behind one address that can be moved, as in a failover: who listens elsewhere than where
//! commands go is granted nothing, and finds the way back.

#[allow(dead_code, reason = "not all of them are needed")]
#[path = "../dlock-runtime/src/store/redis/scripts/mod.rs"]
mod scripts;

use std::time::{Duration, Instant};

use dlock_runtime::{Builder, Guard, Runtime};
use dlock_testkit::{Proxy, Raw, RedisServer, Value, eventually, eventually_async};
use tokio::task::JoinHandle;

const MS: Duration = Duration::from_millis(1);
/// Far longer than any condition takes to come true, even on a loaded machine.
const SOON: Duration = Duration::from_secs(15);
/// A lease that no test lives to see the end of.
const LONG: Duration = Duration::from_secs(30);
/// After so long at the latest a waiter asks.
const POLL: Duration = Duration::from_millis(250);

fn at(url: String) -> Builder {
    Runtime::builder().redis(url).namespace("replicas").ttl(LONG).wait(LONG)
}

async fn build(url: String) -> Runtime {
    at(url).build().await.expect("the store is there")
}

fn wait_for(runtime: &Runtime, key: &'static str) -> JoinHandle<Guard> {
    let request = runtime.lock(key);
    tokio::spawn(async move { request.acquire().await.expect("a turn") })
}

async fn got(waiting: JoinHandle<Guard>) -> Guard {
    tokio::time::timeout(SOON, waiting).await.expect("it comes to its turn").expect("no panic")
}

async fn until_somebody_waits(runtime: &Runtime, key: &'static str) {
    eventually_async("somebody waits", SOON, async || {
        runtime.inspect(key).await.expect("asked").is_some_and(|holder| holder.waiters() == 1)
    })
    .await;
}

/// How many runtimes listen at a server.
fn listeners(raw: &mut Raw) -> usize {
    let Value::List(channels) = raw.command(&["PUBSUB", "CHANNELS", "dlock:*"]) else { return 0 };
    // Each has a channel of its own, and one for each subscription.
    channels.iter().filter_map(Value::text).filter(|channel| channel.matches(':').count() == 1).count()
}

fn cut_subscriptions(raw: &mut Raw) -> i64 {
    raw.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).int().expect("a number")
}

/// How long it takes, nine times, from a release until who waits has the lock.
async fn hand_over_time(holder: &Runtime, waiter: &Runtime) -> Duration {
    let mut times = Vec::new();
    for _ in 0..9 {
        let guard = holder.lock("times").acquire().await.expect("a turn");
        let waiting = wait_for(waiter, "times");
        until_somebody_waits(holder, "times").await;
        let released = Instant::now();
        guard.release().await.expect("ours");
        let guard = got(waiting).await;
        times.push(released.elapsed());
        guard.release().await.expect("ours");
    }
    times.sort();
    times[times.len() / 2]
}

/// The hand-over is direct: by polls it would take 125 ms on the average.
async fn is_direct(holder: &Runtime, waiter: &Runtime) {
    let time = hand_over_time(holder, waiter).await;
    assert!(time < 50 * MS, "{time:?}");
}

/// A user who may not find out where a subscription is, on each server.
fn blind_user(servers: &[&RedisServer], proxy: &Proxy) -> String {
    for server in servers {
        let rules = ["ACL", "SETUSER", "blind", "on", ">secret", "~*", "&*", "+@all", "-publish", "-pubsub", "-role"];
        assert!(server.raw().command(&rules).is_ok());
    }
    proxy.url().replace("redis://", "redis://blind:secret@")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_at_a_replica_is_granted_nothing() {
    let master = RedisServer::start();
    let replica = RedisServer::start_replica_of(&master);
    let (mut at_master, mut at_replica) = (master.raw(), replica.raw());
    let proxy = Proxy::start(&master);
    // Its listener cannot tell that it is misplaced, so that it stays there.
    let waiter = build(blind_user(&[&master, &replica], &proxy)).await;
    eventually("it listens", SOON, || listeners(&mut at_master) == 1);
    proxy.redirect(&replica);
    assert_eq!(cut_subscriptions(&mut at_master), 1);
    eventually("it listens at the replica", SOON, || listeners(&mut at_replica) == 1);
    proxy.redirect(&master);

    // The negative control: what is published at the master is heard at the replica, and not counted.
    let mut control = replica.raw();
    control.command(&["SUBSCRIBE", "control"]);
    assert_eq!(at_master.command(&["PUBLISH", "control", "hello"]), Value::Int(0));
    assert!(matches!(control.receive(), Ok(Value::List(words)) if words[2].text() == Some("hello")));

    let (holder, third) = (build(master.url()).await, build(master.url()).await);
    eventually("only the others listen at the master", SOON, || listeners(&mut at_master) == 2);
    let mut rounds = 0;
    for _ in 0..40 {
        let guard = holder.lock("k").acquire().await.expect("a turn");
        let waiting = wait_for(&waiter, "k");
        until_somebody_waits(&holder, "k").await;
        guard.release().await.expect("ours");
        // It is free, unless the waiter asked in this very moment.
        if let Some(guard) = third.lock("k").try_acquire().await.expect("asked") {
            let began = Instant::now();
            while began.elapsed() < POLL {
                guard.ensure_held().expect("undisturbed");
                assert!(!waiting.is_finished(), "two holders, after {:?}", began.elapsed());
                tokio::time::sleep(5 * MS).await;
            }
            guard.release().await.expect("undisturbed");
            rounds += 1;
        }
        got(waiting).await.release().await.expect("ours");
        assert_eq!(listeners(&mut at_replica), 1, "the negative control: it still listens there");
        if rounds == 10 {
            return;
        }
    }
    panic!("the lock was free for the third only {rounds} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_came_to_a_replica_moves_to_the_master_within_seconds() {
    let master = RedisServer::start();
    let replica = RedisServer::start_replica_of(&master);
    let (mut at_master, mut at_replica) = (master.raw(), replica.raw());
    let proxy = Proxy::start(&master);
    let (holder, waiter) = (build(master.url()).await, build(proxy.url()).await);
    eventually("both listen", SOON, || listeners(&mut at_master) == 2);
    proxy.redirect(&replica);
    cut_subscriptions(&mut at_master);
    let subscriptions = |raw: &mut Raw| raw.command_stats().get("subscribe").copied().unwrap_or(0);
    eventually("it came to the replica", SOON, || subscriptions(&mut at_replica) > 0);
    proxy.redirect(&master);
    let time = eventually("it is at the master", SOON, || listeners(&mut at_master) == 2);
    assert!(time < Duration::from_secs(8), "{time:?}");
    assert_eq!(listeners(&mut at_replica), 0);
    is_direct(&holder, &waiter).await;
}

/// A replica becomes the master and the master its replica, and no connection is closed by that.
async fn failover(url: impl Fn(&[&RedisServer], &Proxy) -> String) -> (RedisServer, RedisServer, [Runtime; 2]) {
    let old = RedisServer::start();
    let new = RedisServer::start_replica_of(&old);
    let proxy = Proxy::start(&old);
    let url = url(&[&old, &new], &proxy);
    let runtimes = [build(url.clone()).await, build(url).await];
    let (mut at_old, mut at_new) = (old.raw(), new.raw());
    eventually("both listen", SOON, || listeners(&mut at_old) == 2);
    is_direct(&runtimes[0], &runtimes[1]).await;
    let clients = |raw: &mut Raw| raw.command(&["CLIENT", "LIST", "TYPE", "pubsub"]).text().map(str::to_owned);
    let before = clients(&mut at_old).map(|list| list.lines().count());
    new.promote();
    proxy.redirect(&new);
    old.follow(&new);
    assert_eq!(before, Some(2), "the negative control: they listened at the old master");
    for runtime in &runtimes {
        // What was not read-only is now: that is a sign for who may not ask for the role.
        runtime.lock("sign").acquire().await.expect("found").release().await.expect("ours");
    }
    let time = eventually("both listen at the new master", SOON, || listeners(&mut at_new) == 2);
    assert!(time < Duration::from_secs(8), "{time:?}");
    assert_eq!(listeners(&mut at_old), 0);
    // The proxy closes what leads through it.
    is_direct(&runtimes[0], &runtimes[1]).await;
    (old, new, runtimes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_that_closed_no_connection_the_listeners_are_at_the_new_master() {
    failover(|_, proxy| proxy.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_for_the_role_notices_a_failover_by_its_signs() {
    failover(|servers, proxy| {
        for server in servers {
            let rules = ["ACL", "SETUSER", "roleless", "on", ">secret", "~*", "&*", "+@all", "-role"];
            assert!(server.raw().command(&rules).is_ok());
        }
        proxy.url().replace("redis://", "redis://roleless:secret@")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_listener_leaves_a_master_that_was_demoted() {
    let old = RedisServer::start();
    let new = RedisServer::start_replica_of(&old);
    let proxy = Proxy::start(&old);
    let _idle = build(proxy.url()).await;
    let (mut at_old, mut at_new) = (old.raw(), new.raw());
    eventually("it listens", SOON, || listeners(&mut at_old) == 1);
    new.promote();
    proxy.redirect(&new);
    old.follow(&new);
    let time = eventually("it listens at the new master", SOON, || listeners(&mut at_new) == 1);
    assert!(time < Duration::from_secs(8), "{time:?}");
    assert_eq!(listeners(&mut at_old), 0);
}

/// It may lag behind: the lease that it would confirm may have been shortened at the master, the one that it would deny may be
/// new. A script that only reads succeeds at a replica, so each answer goes with a write. Found by the simulation.
#[tokio::test]
async fn a_replica_confirms_and_denies_no_lease() {
    let master = RedisServer::start();
    let replica = RedisServer::start_replica_of(&master);
    let (mut at_master, mut at_replica) = (master.raw(), replica.raw());
    let runtime = build(master.url()).await;
    let guard = runtime.lock("k").acquire().await.expect("free");
    eventually("it is copied", SOON, || at_replica.command(&["GET", "replicas:k"]).text().is_some());
    let token = at_master.token("replicas:k").expect("held");
    let keys = ["replicas:k", "dlock:fence-clock", "{replicas:k}:queue", "{replicas:k}:seen"];
    for token in [token.as_str(), "0a-1"] {
        let renew = [token, "5000", "0", "0", "0"];
        let release = [token, "", "0"];
        let acquire = [token, "5000", "1", "a host", "0", "0", "1"];
        for (text, keys, args) in [
            (scripts::RENEW, &keys[..2], &renew[..]),
            (scripts::RELEASE, &keys[..], &release[..]),
            (scripts::ACQUIRE, &keys[..], &acquire[..]),
        ] {
            let count = keys.len().to_string();
            let reply = at_replica.command(&[&["EVAL", text, &*count], keys, args].concat());
            let Value::Error(message) = &reply else { panic!("{args:?}: {reply:?}") };
            assert!(message.contains("READONLY"), "{args:?}: {message}");
        }
    }
    guard.release().await.expect("ours");
}
