//! Setting up a runtime: every form of the URL, and every way to get it wrong.

use std::{
    error::Error,
    net::TcpListener,
    time::{Duration, Instant},
};

use dlock_runtime::{Builder, LockError, Runtime, distributed_lock};
use dlock_testkit::{Raw, RedisServer};
use tokio::time::timeout;

const PASSWORD: &str = "open-sesame";

/// A server whose user `app` has a password, and a raw client in its database 5.
fn server() -> (RedisServer, Raw) {
    let server = RedisServer::start();
    let mut raw = server.raw();
    assert!(raw.command(&["ACL", "SETUSER", "app", "on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"]).is_ok());
    assert!(raw.command(&["SELECT", "5"]).is_ok());
    (server, raw)
}

fn on(url: impl Into<String>) -> Builder {
    Runtime::builder().redis(url).namespace("connect").wait(Duration::from_millis(300))
}

async fn refused(builder: Builder) -> LockError {
    let error = builder.build().await.expect_err("it cannot work");
    assert!(matches!(error, LockError::Config { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error:?}");
    error
}

#[tokio::test]
async fn user_password_and_database_of_the_url_are_used() {
    let (server, mut raw) = server();
    let runtime = on(format!("redis://app:{PASSWORD}@127.0.0.1:{}/5", server.port())).build().await.expect("a runtime");
    let guard = runtime.lock("tcp").acquire().await.expect("free");
    assert!(raw.exists("connect:tcp"));
    let clients = raw.command(&["CLIENT", "LIST"]);
    assert!(clients.text().expect("a list").contains("user=app"));
    guard.release().await.expect("held");
}

#[tokio::test]
async fn user_password_and_database_of_a_unix_socket_are_used() {
    let (server, mut raw) = server();
    let url = format!("{}?db=5&user=app&pass={PASSWORD}", server.socket_url());
    let runtime = on(url).build().await.expect("a runtime");
    let _guard = runtime.lock("socket").acquire().await.expect("free");
    assert!(raw.exists("connect:socket"));
    assert!(raw.command(&["CLIENT", "LIST"]).text().expect("a list").contains("user=app"));
}

#[tokio::test]
async fn a_wrong_password_is_a_mistake_and_not_an_outage() {
    let (server, _raw) = server();
    let error = refused(on(format!("redis://app:{PASSWORD}-not@127.0.0.1:{}/", server.port()))).await;
    assert!(error.source().is_some(), "{error:?}");
}

#[tokio::test]
async fn a_url_that_is_none_is_a_mistake_and_is_not_repeated() {
    for url in ["", "nonsense", &format!("http://app:{PASSWORD}@host/"), &format!("redis://app:{PASSWORD}@host:port/")]
    {
        refused(on(url)).await;
    }
}

#[tokio::test]
async fn a_password_that_is_not_percent_encoded_gets_that_hint_and_is_not_shown() {
    for password in
        ["sesame/open", "sesame#open", "12#sesame", "12/sesame", "sesame?open", "sesame@o/pen", "sesame:o/pen"]
    {
        let error = on(format!("redis://app:{password}@127.0.0.1:6379/")).build().await.expect_err("it is no URL");
        let said = format!("{error} {error:?} {:?}", error.source().map(ToString::to_string));
        assert!(matches!(error, LockError::Config { .. }) && error.to_string().contains("percent-encoded"), "{said}");
        assert!(!said.contains("sesame") && !said.contains("open"), "{said}");
    }
    // Encoded it works, and what a URL can tell apart needs no encoding.
    let server = RedisServer::start();
    for (password, written) in [("a/b#c?d@e:f%g", "a%2Fb%23c%3Fd%40e%3Af%25g"), ("a@b:c", "a@b:c")] {
        let set = ["ACL", "SETUSER", "app", "reset", "on", &format!(">{password}"), "~*", "&*", "+@all"];
        assert!(server.raw().command(&set).is_ok());
        let url = server.url().replace("redis://", &format!("redis://app:{written}@"));
        on(url).build().await.unwrap_or_else(|error| panic!("{password}: {error:?}"));
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_without_its_feature_is_a_mistake_that_names_the_cure() {
    assert!(refused(on("rediss://127.0.0.1/")).await.to_string().contains("feature"));
}

#[tokio::test]
async fn one_store_must_be_named_and_only_one() {
    assert!(refused(Runtime::builder()).await.to_string().contains(".embedded()"));
    refused(Runtime::builder().redis("redis://127.0.0.1/").embedded()).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_after_a_while() {
    let mut server = RedisServer::start();
    server.kill();
    let began = Instant::now();
    let error = on(server.url()).build().await.expect_err("nobody is there");
    assert!(error.is_unavailable() && error.source().is_some(), "{error:?}");
    let source = error.source().expect("it has one");
    assert!(source.to_string().contains("connect_lazily"), "it says how to go on: {source}");
    assert!(source.source().is_some(), "and what was wrong: {source:?}");
    assert!(began.elapsed() >= Duration::from_millis(300), "it was tried again");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_server_that_accepts_and_never_replies_is_unavailable_whatever_the_command_timeout() {
    // Connections are accepted by the system, and nobody ever reads what is sent.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}/", silent.local_addr().expect("bound"));
    for wait in [Duration::ZERO, Duration::MAX] {
        let began = Instant::now();
        let builder = on(&*url).wait(wait).command_timeout(Duration::MAX);
        let built = timeout(Duration::from_secs(30), builder.build()).await.expect("it does not wait for ever");
        assert!(built.is_err_and(|error| error.is_unavailable()));
        let took = began.elapsed();
        assert!((Duration::from_secs(2)..Duration::from_secs(6)).contains(&took), "{wait:?}: {took:?}");
    }
}

#[distributed_lock(key = "installed")]
async fn locked() -> Result<(), LockError> {
    Ok(())
}

#[tokio::test]
async fn the_installed_runtime_is_used_and_replaced_only_after_its_shutdown() {
    assert!(matches!(locked().await, Err(LockError::NotInstalled)));
    let builder = Runtime::builder().embedded().namespace("connect");
    let runtime = builder.clone().install().await.expect("the first");
    locked().await.expect("installed");
    assert!(matches!(builder.clone().install().await, Err(LockError::Config { .. })));
    runtime.shutdown(Duration::from_secs(1)).await;
    assert!(locked().await.is_err_and(|error| error.is_shut_down()), "it was shut down");
    builder.install().await.expect("the first one was shut down");
    locked().await.expect("installed again");
}
