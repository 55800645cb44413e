//! `build` says at once, and in words, what makes locking impossible, and leaves nothing behind in trying.

use std::{error::Error, sync::Arc, time::Duration};

use dlock_runtime::{Builder, LockError, Runtime};
use dlock_testkit::{Fault, History, Proxy, RedisServer, Router, Rule, Value, eventually, eventually_async};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(10);

fn on(url: impl Into<String>) -> Builder {
    Runtime::builder().redis(url).namespace("shop").wait(Duration::from_millis(300))
}

/// A URL of a user of `server` that may do everything but for what `rules` say.
fn user(server: &RedisServer, rules: &[&str]) -> String {
    let rules = [&["ACL", "SETUSER", "app", "reset", "on", ">sesame", "~*", "&*", "+@all"], rules].concat();
    assert!(server.raw().command(&rules).is_ok(), "{rules:?}");
    server.url().replace("redis://", "redis://app:sesame@")
}

async fn refused(url: impl Into<String>) -> String {
    let Err(error) = on(url).build().await else { return "nothing is wrong".to_owned() };
    assert!(matches!(error, LockError::Config { .. }), "{error:?}");
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    assert!(!format!("{error:?} {source}").contains("sesame"), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_server_that_is_fit_is_left_as_it_was() {
    let server = RedisServer::start();
    on(server.url()).build().await.expect("a runtime");
    assert_eq!(server.raw().keys(), Vec::<String>::new());
}

#[tokio::test]
async fn each_command_that_a_user_may_not_run_is_named_and_nothing_is_left() {
    let server = RedisServer::start();
    let commands = [
        "EVAL", "GET", "SET", "DEL", "PTTL", "PEXPIRE", "TIME", "HGET", "HSET", "HINCRBY", "ZCARD", "ZADD", "ZREM",
        "ZRANGE", "ZPOPMIN", "ZSCORE", "ZCOUNT",
    ];
    for command in commands {
        let said = refused(user(&server, &[&format!("-{}", command.to_lowercase())])).await;
        assert!(said.contains(&format!("may not run {command}")), "{command}: {said}");
        eventually("nothing is left", SOON, || server.raw().keys().is_empty());
    }
}

#[tokio::test]
async fn keys_that_a_user_may_not_touch_are_named() {
    let server = RedisServer::start();
    let said = refused(user(&server, &["resetkeys", "~shop:*"])).await;
    assert!(said.contains("may not touch keys `dlock:fence-clock*` and `{shop:*`"), "{said}");
    let said = refused(user(&server, &["resetkeys", "~other:*"])).await;
    assert!(said.contains("`shop:*` and `dlock:fence-clock*` and `{shop:*`"), "{said}");
    let said = refused(user(&server, &["resetkeys", "~shop:*", "~{shop:*"])).await;
    assert!(said.contains("may not touch keys `dlock:fence-clock*`"), "{said}");
    let enough = ["resetkeys", "~shop:*", "~{shop:*", "~dlock:fence-clock*"];
    on(user(&server, &enough)).build().await.expect("these are enough");
}

#[tokio::test]
async fn a_store_without_evalsha_script_or_info_is_good_enough() {
    let server = RedisServer::start();
    for command in ["-evalsha", "-script", "-info"] {
        let runtime = on(user(&server, &[command])).build().await.expect("it will do");
        runtime.lock("k").acquire().await.expect("free").release().await.expect("ours");
    }
    // A proxy may close the connection when it is asked for what it does not know.
    let proxy = Proxy::start(&server);
    proxy.add(Rule::new(Fault::CutBefore).command("INFO"));
    on(proxy.url()).build().await.expect("it will do");
    proxy.heal();
    proxy.add(Rule::new(Fault::Refuse("ERR unsupported command 'INFO'".to_owned())).command("INFO"));
    on(proxy.url()).build().await.expect("it will do");
}

#[tokio::test]
async fn a_node_of_a_cluster_is_named_and_one_that_has_all_keys_will_do() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let mut raw = server.raw();
    assert!(raw.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "8000"]).is_ok() || add_slots(&server, 0..8001));
    // Another node has the rest; that it is not there does not matter.
    let other = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    assert!(add_slots(&other, 8001..16_384));
    assert!(raw.command(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()]).is_ok());
    let up = |server: &RedisServer| server.raw().info(&["CLUSTER", "INFO"], "cluster_state").as_deref() == Some("ok");
    eventually("they know each other", SOON * 2, || up(&server) && up(&other));
    for url in [server.url(), other.url(), user(&server, &["-info"])] {
        let said = refused(url).await;
        assert!(said.contains("node of a cluster"), "{said}");
    }

    let alone = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    assert!(add_slots(&alone, 0..16_384));
    eventually("it is up", SOON * 2, || up(&alone));
    // Who may not ask for INFO finds out that it is a cluster from the first error.
    for url in [alone.url(), user(&alone, &["-info"])] {
        let [one, other] = [on(&url).wait(SOON).build().await, on(&url).wait(SOON).build().await];
        let [one, other] = [one, other].map(|runtime| runtime.expect("it has all keys"));
        for key in ["k", "another", "{tag}:k"] {
            let guard = one.lock(key).acquire().await.expect("free");
            let waiting = tokio::spawn(other.lock(key).acquire());
            eventually_async("it waits", SOON, async || {
                one.inspect(key).await.expect("asked").is_some_and(|holder| holder.waiters() == 1)
            })
            .await;
            guard.renew().await.expect("held");
            let fence = guard.fence();
            guard.release().await.expect("ours");
            let guard = waiting.await.expect("no panic").expect("its turn");
            assert!(guard.fence() > fence);
            guard.release().await.expect("ours");
        }
    }
    let mut raw = alone.raw();
    let Value::List(left) = raw.command(&["KEYS", "*"]) else { panic!("KEYS gives a list") };
    assert!(left.len() >= 3, "the negative control: {left:?}");
    for key in left.iter().filter_map(Value::text) {
        assert!(key.starts_with("dlock:fence-clock:{"), "{key}");
        assert!(raw.command(&["TTL", key]).int() > Some(0), "{key}");
    }
}

fn add_slots(server: &RedisServer, slots: std::ops::Range<u32>) -> bool {
    let slots = slots.map(|slot| slot.to_string()).collect::<Vec<_>>();
    let words = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect::<Vec<_>>();
    server.raw().command(&words).is_ok()
}

#[tokio::test]
async fn a_replica_is_named_and_may_become_the_master_in_time() {
    let server = RedisServer::start();
    assert!(server.raw().command(&["REPLICAOF", "127.0.0.1", "1"]).is_ok());
    let said = refused(server.url()).await;
    assert!(said.contains("replica"), "{said}");
    let building = tokio::spawn(on(server.url()).wait(SOON).build());
    assert!(server.raw().command(&["REPLICAOF", "NO", "ONE"]).is_ok());
    building.await.expect("no panic").expect("it is the master now");
}

#[tokio::test]
async fn a_sentinel_is_refused_as_what_it_is() {
    // It speaks the protocol, and knows none of the commands that locking needs.
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let info = "$21\r\nredis_mode:sentinel\r\n\r\n";
    proxy.add(Rule::new(Fault::Answer(info.to_owned())).command("INFO"));
    proxy.add(Rule::new(Fault::Refuse("ERR unknown command 'EVAL', with args beginning with: ".to_owned())));
    let said = refused(proxy.url()).await;
    assert!(said.contains("this is a sentinel"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_too_old_is_named_with_its_version() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    proxy.add(Rule::new(Fault::Answer("$22\r\nredis_version:6.0.16\r\n\r\n".to_owned())).command("INFO"));
    proxy.add(Rule::new(Fault::Refuse("ERR syntax error".to_owned())).matching("EVAL"));
    let said = refused(proxy.url()).await;
    assert!(said.contains("Redis 6.0.16") && said.contains("6.2"), "{said}");
}

#[tokio::test]
async fn a_proxy_without_scripts_is_refused_as_what_it_is() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    proxy.add(Rule::new(Fault::Refuse("ERR unknown command 'EVAL'".to_owned())).matching("EVAL"));
    let said = refused(proxy.url()).await;
    assert!(said.contains("does not know EVAL"), "{said}");
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_waited_for() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    proxy.add(Rule::new(Fault::Refuse("LOADING Redis is loading the dataset in memory".to_owned())).times(6));
    on(proxy.url()).wait(SOON).build().await.expect("it is loaded by then");
}

/// The rows of the table of proxies in SAFETY.md that can be played here: what they do with what they do not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_without_messages_and_info_locks_all_the_same() {
    // twemproxy closes the connection, Envoy says so in words of its own.
    for fault in [Fault::CutBefore, Fault::Refuse("ERR unsupported command".to_owned())] {
        let server = RedisServer::start();
        let proxy = Proxy::start(&server);
        for command in ["INFO", "SUBSCRIBE", "PUBLISH", "PUBSUB", "ROLE"] {
            proxy.add(Rule::new(fault.clone()).command(command));
        }
        let [first, second] = [on(proxy.url()).build().await, on(proxy.url()).build().await];
        let [first, second] = [first, second].map(|runtime| runtime.unwrap_or_else(|err| panic!("{fault:?}: {err:?}")));
        let guard = first.lock("k").ttl(SOON).acquire().await.unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
        let waiting = tokio::spawn(second.lock("k").wait(SOON).acquire());
        guard.renew().await.unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
        assert!(first.lock("k").try_acquire().await.expect("an answer").is_none());
        guard.release().await.unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
        let guard = waiting.await.expect("no panic").unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
        guard.release().await.unwrap_or_else(|err| panic!("{fault:?}: {err:?}"));
    }
}

/// Each lock lies at one of the servers, and two runtimes agree at which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_before_several_servers_takes_each_lock_to_its_own() {
    const KEYS: usize = 6;
    for namespace in ["shop", "{shop}:"] {
        let servers = [RedisServer::start(), RedisServer::start(), RedisServer::start()];
        let router = Router::start(&servers);
        let build = || on(router.url()).namespace(namespace).wait(SOON).build();
        let runtimes = [build().await.expect("a runtime"), build().await.expect("a runtime")];
        let histories = Arc::new((0..KEYS).map(|_| History::create()).collect::<Vec<_>>());
        let mut tasks = JoinSet::new();
        for task in 0..24 {
            let (runtime, histories) = (runtimes[task % 2].clone(), Arc::clone(&histories));
            tasks.spawn(async move {
                for turn in 0..KEYS {
                    let (at, who) = ((task + turn) % KEYS, task.to_string());
                    let guard = runtime.lock(format!("k{at}")).acquire().await.expect("its turn comes");
                    histories[at].enter(&who, guard.fence());
                    tokio::task::yield_now().await;
                    histories[at].leave(&who, guard.fence());
                    guard.release().await.expect("ours");
                    // Nobody looks at the fence of this one.
                    let own = runtime.lock(format!("own:{task}:{turn}")).unfenced().acquire().await;
                    own.expect("free").release().await.expect("ours");
                }
            });
        }
        tasks.join_all().await;
        for history in &*histories {
            history.check().unwrap_or_else(|violation| panic!("{violation}"));
        }
        let used = servers.iter().filter(|server| server.raw().command_stats().contains_key("set")).count();
        assert_eq!(used, if namespace == "shop" { 3 } else { 1 }, "{namespace}: the control");
        for runtime in runtimes {
            assert!(runtime.shutdown(SOON).await);
        }
        eventually("nothing is left but the fence clocks", SOON, || {
            servers.iter().all(|server| server.raw().keys().iter().all(|key| key.starts_with("dlock:fence-clock")))
        });
    }
}

/// Before Redis 7.0 a cluster has no channels that are counted where they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_an_old_version_is_refused_by_name_and_a_newer_one_is_not() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]);
    let mut raw = server.raw();
    let slots = (0..16_384).map(|slot: u16| slot.to_string()).collect::<Vec<_>>();
    let words = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect::<Vec<_>>();
    assert!(raw.command(&words).is_ok());
    dlock_testkit::eventually("it works", Duration::from_secs(20), || {
        raw.info(&["CLUSTER", "INFO"], "cluster_state").as_deref() == Some("ok")
    });
    let is_old = raw.info(&["INFO", "server"], "redis_version").expect("a version").starts_with("6.");
    match Runtime::builder().cluster([server.url()]).failover_guard(false).build().await {
        Ok(runtime) => {
            assert!(!is_old);
            runtime.lock("k").acquire().await.expect("free").release().await.expect("ours");
        }
        Err(error) => {
            let said = error.to_string();
            assert!(is_old && said.contains("this is a cluster of Redis 6.2"), "{said}");
        }
    }
}
