//! Connections as people have them: a client of the redis crate, names, both versions of the protocol, and several runtimes that
//! share nothing but the server.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use dlock_runtime::{
    Builder, LockError, Runtime,
    redis::{Client, IntoConnectionInfo, RedisConnectionInfo},
};
use dlock_testkit::{Fault, Proxy, Raw, RedisServer, Rule, eventually, eventually_async, log, with_turns};

const PASSWORD: &str = "open/sesame";
const SOON: Duration = Duration::from_secs(20);

fn settings(builder: Builder) -> Builder {
    builder.turns(with_turns()).namespace("clients").ttl(SOON).wait(SOON)
}

fn on(url: String) -> Builder {
    settings(Runtime::builder()).redis(url)
}

/// A server whose user `app` has a password and all rights but those in `without`.
fn server(without: &[&str]) -> (RedisServer, Raw) {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let password = format!(">{PASSWORD}");
    let words = ["ACL", "SETUSER", "app", "on", &password, "~*", "&*", "+@all"];
    assert!(raw.command(&[&words[..], without].concat()).is_ok());
    (server, raw)
}

fn url_of(server: &RedisServer, rest: &str) -> String {
    let user = format!("redis://app:{}@", PASSWORD.replace('/', "%2F"));
    server.url().replace("redis://", &user) + rest
}

/// One waits and is handed the lock.
async fn hand_over(first: &Runtime, second: &Runtime, key: &str) {
    let guard = first.lock(key).acquire().await.expect("free");
    let waiting = tokio::spawn(second.lock(key).acquire());
    eventually_async("somebody waits", SOON, async || {
        first.inspect(key).await.expect("an answer").is_some_and(|holder| holder.waiters() == 1)
    })
    .await;
    guard.release().await.expect("held");
    waiting.await.expect("no panic").expect("handed over").release().await.expect("held");
}

/// The ids of the connections that are as `wanted`.
fn ids(raw: &mut Raw, wanted: impl Fn(&BTreeMap<String, String>) -> bool) -> BTreeSet<String> {
    raw.clients().into_iter().filter(wanted).map(|client| client["id"].clone()).collect()
}

fn named(raw: &mut Raw, name: &str) -> BTreeSet<String> {
    ids(raw, |client| client["name"] == name)
}

#[tokio::test]
async fn a_client_of_the_redis_crate_leads_to_the_store_with_its_user_and_database() {
    let (server, mut raw) = server(&[]);
    let settings_of = RedisConnectionInfo::default().set_username("app").set_password(PASSWORD).set_db(5);
    let info = server.url().into_connection_info().expect("a URL").set_redis_settings(settings_of);
    let client = Client::open(info).expect("a client");
    let builder = settings(Runtime::builder()).redis_client(client);
    assert!(!format!("{builder:?}").contains("sesame"), "{builder:?}");
    let runtime = builder.clone().build().await.expect("a runtime");
    let guard = runtime.lock("client").acquire().await.expect("free");
    assert!(raw.clients().iter().any(|client| client["user"] == "app" && client["db"] == "5"));
    assert!(raw.command(&["SELECT", "5"]).is_ok() && raw.exists("clients:client"));
    guard.release().await.expect("held");

    let error = builder.redis(server.url()).build().await.expect_err("two servers");
    assert!(matches!(&error, LockError::Config { reason, .. } if reason.contains("redis_client")), "{error:?}");
    let wrong = Client::open(url_of(&server, "").replace("sesame", "sesame-not")).expect("a client");
    let error = settings(Runtime::builder()).redis_client(wrong).build().await.expect_err("a wrong password");
    assert!(matches!(error, LockError::Config { .. }) && !format!("{error} {error:?}").contains("sesame"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_have_the_name_that_the_builder_gives_and_none_by_default() {
    let (server, mut raw) = server(&[]);
    let runtime = on(server.url()).client_name("checkout").build().await.expect("a runtime");
    drop(runtime.lock("named").acquire().await.expect("free"));
    eventually("those of the caller and of the keeper have it", SOON, || named(&mut raw, "checkout").len() >= 2);
    // All but that of the raw client.
    let all = raw.clients().into_iter().filter(|client| !client["cmd"].starts_with("client")).collect::<Vec<_>>();
    assert!(all.iter().all(|client| client["name"] == "checkout" || client["sub"] != "0"), "{all:?}");
    // Redis 7.2 and later know the name of the library, and so the one that listens has a name too.
    if all.iter().any(|client| client.contains_key("lib-name")) {
        assert!(all.iter().all(|client| client["lib-name"] == "dlock-runtime(checkout)"), "{all:?}");
    }
    assert!(runtime.shutdown(SOON).await);

    for name in ["", "two words", "line\nbreak", &"n".repeat(65)] {
        let error = on(server.url()).client_name(name).build().await.expect_err("no such name");
        assert!(matches!(&error, LockError::Config { reason, .. } if reason.contains("client_name")), "{error:?}");
    }
    let proxy = Proxy::start(&server);
    proxy.add(Rule::new(Fault::Delay(Duration::ZERO)).command("CLIENT"));
    let unnamed = on(proxy.url());
    for (builder, says) in [(unnamed.clone(), false), (unnamed.client_name("control"), true)] {
        let runtime = builder.build().await.expect("a runtime");
        drop(runtime.lock("unnamed").acquire().await.expect("free"));
        assert!(runtime.shutdown(SOON).await);
        assert_eq!(proxy.struck() > 0, says, "a name is said if it is given");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_say_a_name_locks_all_the_same() {
    log::listen();
    let (server, mut raw) = server(&["-client"]);
    let runtime = on(url_of(&server, "")).client_name("checkout").build().await.expect("it is no error");
    runtime.lock("nameless").acquire().await.expect("free").release().await.expect("held");
    assert_eq!(named(&mut raw, "checkout"), BTreeSet::new());
    assert!(raw.clients().iter().any(|client| client["user"] == "app"));
    assert_eq!(log::warnings(&server.port().to_string()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_resp2_only_keeps_locks_and_says_so_to_resp3() {
    let server = RedisServer::start_with(&["--rename-command", "HELLO", ""]);
    let mut raw = server.raw();
    assert!(raw.command(&["HELLO", "3"]).is_error("ERR unknown command"));
    let set = ["ACL", "SETUSER", "app", "on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"];
    assert!(raw.command(&set).is_ok());
    let [first, second] = [url_of(&server, ""), url_of(&server, "?protocol=resp2")].map(|url| on(url).build());
    hand_over(&first.await.expect("a runtime"), &second.await.expect("a runtime"), "resp2").await;

    let error = on(url_of(&server, "?protocol=resp3")).build().await.expect_err("it cannot");
    let said = format!("{error} {error:?} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(matches!(error, LockError::Config { .. }) && said.contains("HELLO"), "{said}");
    // A server repeats what it does not understand, and that holds the password.
    assert!(!said.contains("sesame"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_and_messages_travel_by_resp3_if_the_url_says_so() {
    let (server, mut raw) = server(&[]);
    let url = url_of(&server, "3?protocol=resp3");
    let [first, second] = [on(url.clone()).build().await, on(url).build().await].map(|it| it.expect("a runtime"));
    let listening = |raw: &mut Raw| ids(raw, |client| client["sub"] != "0");
    let before = listening(&mut raw);
    assert_eq!(before.len(), 2);
    for round in 0..5 {
        hand_over(&first, &second, &format!("resp3:{round}")).await;
    }
    // A subscription that gets no heartbeat is made anew within half a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(listening(&mut raw), before, "messages arrive");
    // Redis 6.2 does not say which protocol a client speaks.
    let ours = raw.clients().into_iter().filter(|client| client["user"] == "app").collect::<Vec<_>>();
    assert!(ours.len() >= 4 && ours.iter().all(|client| client.get("resp").is_none_or(|it| it == "3")), "{ours:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_runtimes_on_one_url_share_nothing_but_the_server() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let one = on(server.url()).client_name("one").build().await.expect("a runtime");
    let two = on(server.url()).client_name("two").build().await.expect("a runtime");
    let [held, theirs] =
        [one.lock("one").acquire().await.expect("free"), two.lock("two").acquire().await.expect("free")];
    theirs.renew().await.expect("held");
    assert!(two.lock("one").wait(Duration::ZERO).acquire().await.is_err_and(|error| error.is_busy()), "one server");
    let before = named(&mut raw, "two");
    assert!(!before.is_empty());

    for id in named(&mut raw, "one") {
        assert!(raw.command(&["CLIENT", "KILL", "ID", &id]).int().is_some());
    }
    held.renew().await.expect("on a connection of its own");
    assert!(!named(&mut raw, "one").is_empty());
    held.release().await.expect("held");
    assert!(one.shutdown(SOON).await);
    drop(one);
    theirs.renew().await.expect("held");
    let now = named(&mut raw, "two");
    assert!(now.is_superset(&before), "{before:?} {now:?}");
    theirs.release().await.expect("held");
}
