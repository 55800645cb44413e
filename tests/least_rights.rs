//! The block of SAFETY.md that gives a Redis user its rights is enough for the whole life of locks, and nothing in it is
//! too much: what is taken out of it is missed.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use dlock_runtime::{Guard, LockError, Runtime};
use dlock_testkit::{Raw, RedisServer, Value, eventually, log};
use tokio::{sync::Mutex, task::JoinSet};

const SOON: Duration = Duration::from_secs(20);

/// The words of the block: name of the user, password, and the rules.
fn block() -> Vec<String> {
    let safety = include_str!("../SAFETY.md");
    let start = safety.find("ACL SETUSER shop").expect("SAFETY.md has the block");
    let block = safety[start..].split("```").next().expect("it ends");
    block.split_whitespace().map(str::to_owned).collect()
}

fn rules() -> Vec<String> {
    let words = block();
    assert_eq!(words[..5], ["ACL", "SETUSER", "shop", "on", ">password"], "{words:?}");
    words[5..].to_vec()
}

/// Makes the user, with these rules and no others, and forgets what was refused before.
fn give(raw: &mut Raw, rules: &[String]) {
    let words = ["ACL", "SETUSER", "shop", "reset", "on", ">password"].into_iter();
    let words = words.chain(rules.iter().map(String::as_str)).collect::<Vec<_>>();
    assert!(raw.command(&words).is_ok(), "{words:?}");
    assert!(raw.command(&["ACL", "LOG", "RESET"]).is_ok());
}

/// What the server refused.
fn refused(raw: &mut Raw) -> BTreeSet<String> {
    let Value::List(entries) = raw.command(&["ACL", "LOG"]) else { panic!("ACL LOG gives a list") };
    let entry = |entry: Value| match entry {
        Value::List(fields) => {
            let words = fields.iter().filter_map(Value::text).collect::<Vec<_>>();
            let field = |name| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1));
            format!("{:?} {:?}", field("reason"), field("object"))
        }
        other => format!("{other:?}"),
    };
    entries.into_iter().map(entry).collect()
}

async fn runtime(server: &RedisServer) -> Result<Runtime, LockError> {
    let url = server.url().replace("redis://", "redis://shop:password@");
    Runtime::builder().redis(url).namespace("shop").wait(SOON).build().await
}

/// Two processes and one lock: acquire, contention, hand-over, renewal, release, a look, and a waiter that gives up.
async fn life(server: &RedisServer, key: &str) -> Result<(), LockError> {
    let [first, second] = [runtime(server).await?, runtime(server).await?];
    let guard = first.lock(key).ttl(SOON).acquire().await?;
    guard.renew().await?;
    let waiting = tokio::spawn(second.lock(key).ttl(SOON).acquire());
    let waits = async || Ok::<_, LockError>(first.inspect(key).await?.is_some_and(|holder| holder.waiters() == 1));
    let start = Instant::now();
    while !waits().await? && start.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(first.lock(key).wait(Duration::from_millis(100)).acquire().await.is_err_and(|error| error.is_busy()));
    guard.release().await?;
    let guard = waiting.await.expect("no panic")?;
    assert!(first.is_locked(key).await?);
    guard.release().await?;
    // Many locks in one moment, which travel together.
    let crowd = (0..64).map(|id| first.lock(format!("{key}:{id}")).ttl(SOON).acquire()).collect::<JoinSet<_>>();
    let guards = crowd.join_all().await.into_iter().collect::<Result<Vec<_>, LockError>>()?;
    let released = guards.into_iter().map(Guard::release).collect::<JoinSet<_>>().join_all().await;
    released.into_iter().collect::<Result<Vec<()>, LockError>>()?;
    // One whose turn is never seen by anybody else, and one that the keeper renews and releases.
    drop(second.lock(key).ttl(Duration::from_millis(200)).acquire().await?);
    first.shutdown(SOON).await;
    second.shutdown(SOON).await;
    Ok(())
}

/// All tests here share the log, and one of them asserts that nothing is in it.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_safety_md_are_enough_and_each_is_needed() {
    let _alone = ALONE.lock().await;
    log::listen();
    let server = RedisServer::start();
    let mut raw = server.raw();
    let rules = rules();
    give(&mut raw, &rules);
    life(&server, "whole").await.expect("these are enough");
    assert_eq!(refused(&mut raw), BTreeSet::new());
    assert_eq!(log::warnings(""), Vec::<String>::new());

    for missing in rules.iter().filter(|rule| rule.starts_with(['~', '&', '+'])) {
        let fewer = rules.iter().filter(|rule| *rule != missing).cloned().collect::<Vec<_>>();
        give(&mut raw, &fewer);
        let lived = tokio::time::timeout(SOON * 2, life(&server, missing.trim_start_matches(['~', '&', '+']))).await;
        let lived = lived.expect("it ends");
        assert!(!refused(&mut raw).is_empty(), "{missing} is not needed: {lived:?}");
        // Those that are no errors are said in a warning, but for what only costs time.
        if lived.is_ok() && !["+evalsha", "+mget"].contains(&missing.as_str()) {
            eventually(&format!("a warning without {missing}"), SOON, || !log::warnings("").is_empty());
        }
        log::clear();
    }
}

/// With the failover guard it takes a key more, as the page says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_failover_guard_it_takes_the_epoch_as_well() {
    let _alone = ALONE.lock().await;
    let server = RedisServer::start();
    server.open_guard();
    let mut raw = server.raw();
    assert!(include_str!("../SAFETY.md").contains(
        "For the failover guard, which is on with `Builder::sentinel` and `Builder::cluster`, add `~dlock:epoch*`"
    ));
    let builder = || {
        let url = server.url().replace("redis://", "redis://shop:password@");
        Runtime::builder().redis(url).namespace("shop").wait(SOON).failover_guard(true)
    };
    give(&mut raw, &rules());
    let error = builder().build().await.expect_err("a key is missing");
    assert!(error.is_config() && error.to_string().contains("`dlock:epoch*`"), "{error:?}");

    let rules = [rules(), vec!["~dlock:epoch*".to_owned()]].concat();
    give(&mut raw, &rules);
    let runtime = builder().build().await.expect("it is enough");
    let guard = runtime.lock("guarded").acquire().await.expect("free");
    guard.renew().await.expect("ours");
    guard.release().await.expect("ours");
    // What a failover takes: the server is another one now, and the lock comes back.
    let guard = runtime.lock("guarded").acquire().await.expect("free");
    assert!(raw.command(&["DEL", "shop:guarded"]) == Value::Int(1));
    assert!(raw.command(&["SET", "dlock:epoch", "0 0 0 0"]).is_ok());
    tokio::time::sleep(Duration::from_millis(150)).await;
    guard.renew().await.expect("it comes back");
    let error = runtime.lock("other").wait(Duration::ZERO).acquire().await.expect_err("it is closed");
    assert!(error.is_unavailable(), "{error:?}");
    guard.release().await.expect("ours");
    assert_eq!(refused(&mut raw), BTreeSet::new());

    let fewer = rules.iter().filter(|rule| *rule != "+info").cloned().collect::<Vec<_>>();
    give(&mut raw, &fewer);
    let error = builder().build().await.expect_err("`INFO` is missing");
    assert!(error.is_config() && error.to_string().contains("needs INFO"), "{error:?}");
}
