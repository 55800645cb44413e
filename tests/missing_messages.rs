//! Where messages do not arrive an operator is told so once, with what is missing.
//!
//! One test per process: the subscriber is installed once for all threads, the keeper's included.

use std::time::{Duration, Instant};

use dlock_runtime::Runtime;
use dlock_testkit::{
    Raw, RedisServer, eventually,
    log::{self, Level},
};

const SOON: Duration = Duration::from_secs(30);

/// How often the server refused a command.
fn refused(raw: &mut Raw, command: &str) -> u64 {
    let figures = raw.info(&["INFO", "commandstats"], &format!("cmdstat_{command}"));
    let count = figures.as_deref().and_then(|all| all.split("rejected_calls=").nth(1)?.split(',').next()?.parse().ok());
    count.unwrap_or(0)
}

/// What was said of messages: that they do not arrive, or that they do again.
fn said(level: Level) -> Vec<String> {
    let said = log::said("messages of the store").into_iter().filter(|(of, _)| *of == level);
    said.map(|(_, line)| line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_messages_are_reported_once_with_their_cause_and_so_is_their_return() {
    log::listen();
    let server = RedisServer::start();
    let mut raw = server.raw();
    assert!(raw.command(&["ACL", "SETUSER", "unsubscribed", "on", ">secret", "~*", "+@all", "resetchannels"]).is_ok());
    let url = server.url().replace("redis://", "redis://unsubscribed:secret@");
    let runtime = Runtime::builder().redis(url).namespace("missing").build().await.expect("locking works without");
    runtime.lock("k").acquire().await.expect("it is free").release().await.expect("ours");
    // It goes on trying, and says it once.
    let began = Instant::now();
    eventually("it tried several times", SOON, || refused(&mut raw, "subscribe") >= 3 || began.elapsed() > SOON / 3);
    let warnings = said(Level::WARN);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("SUBSCRIBE") && warnings[0].contains("dlock:*"),
        "it says what is missing: {}",
        warnings[0]
    );
    assert!(!warnings[0].contains("secret"), "{}", warnings[0]);

    assert!(raw.command(&["ACL", "SETUSER", "unsubscribed", "&dlock:*"]).is_ok());
    eventually("that messages arrive again is said, too", SOON, || said(Level::INFO).len() == 1);
    assert_eq!(said(Level::WARN).len(), 1);
}
