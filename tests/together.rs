//! Requests for many locks travel in one script. Each has its own answer all the same, whatever becomes of the others.

#[allow(dead_code, reason = "not all of them are needed")]
#[path = "../dlock-runtime/src/store/redis/scripts/mod.rs"]
mod scripts;

use std::{collections::BTreeSet, time::Duration};

use dlock_runtime::{Guard, LockError, Runtime};
use dlock_testkit::{Fault, Proxy, RedisServer, Rule, Value, eventually, eventually_async};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(10);

/// So many that most of them gather behind the first.
const CROWD: usize = 64;

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().redis(url).namespace("together").ttl(SOON * 3).wait(SOON);
    // A busy machine may take long for what is to be shown here.
    let builder = builder.command_timeout(SOON / 2);
    builder.build().await.expect("the store is there")
}

fn calls(server: &RedisServer, command: &str) -> u64 {
    server.raw().command_stats().get(command).copied().unwrap_or(0)
}

fn scripts(server: &RedisServer) -> u64 {
    calls(server, "eval") + calls(server, "evalsha")
}

fn keys() -> Vec<String> {
    (0..CROWD).map(|id| format!("{id}")).collect()
}

/// Asks for all of them in one moment.
async fn acquire(runtime: &Runtime, keys: &[String]) -> Vec<Result<Guard, LockError>> {
    in_one_moment(keys.iter().map(|key| runtime.lock(key).acquire())).await
}

/// What comes of each, in the order in which they are given.
async fn in_one_moment<T: Send + 'static>(
    all: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for (place, each) in all.enumerate() {
        tasks.spawn(async move { (place, each.await) });
    }
    let mut ended = tasks.join_all().await;
    ended.sort_by_key(|(place, _)| *place);
    ended.into_iter().map(|(_, output)| output).collect()
}

async fn acquired(runtime: &Runtime, keys: &[String]) -> Vec<Guard> {
    acquire(runtime, keys).await.into_iter().map(|guard| guard.expect("it is free")).collect()
}

async fn release(guards: Vec<Guard>) -> Vec<Result<(), LockError>> {
    in_one_moment(guards.into_iter().map(Guard::release)).await
}

fn assert_all_released(ended: Vec<Result<(), LockError>>) {
    ended.into_iter().for_each(|released| released.expect("it was ours"));
}

fn assert_nothing_left(server: &RedisServer) {
    eventually("nothing is left", SOON, || server.raw().keys().is_empty());
}

/// Each has the fence that the lock says, and no other has it.
fn assert_fences(server: &RedisServer, guards: &[Guard]) {
    let mut raw = server.raw();
    for guard in guards {
        let value = raw.command(&["GET", &format!("together:{}", guard.key())]);
        let fence = value.text().and_then(|value| value.split(' ').nth(1)?.parse::<u64>().ok());
        assert_eq!(fence, Some(guard.fence()), "{value:?}");
    }
    assert_eq!(guards.iter().map(Guard::fence).collect::<BTreeSet<_>>().len(), guards.len());
}

#[tokio::test]
async fn what_is_asked_for_in_one_moment_is_granted_and_released_in_a_few_scripts() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    for round in 0..3 {
        let before = scripts(&server);
        let guards = acquired(&runtime, &keys()).await;
        let asked = scripts(&server) - before;
        assert!((2..16).contains(&asked), "{asked} scripts granted {CROWD} locks in round {round}");
        assert_fences(&server, &guards);
        let before = (scripts(&server), calls(&server, "mget"));
        assert_all_released(release(guards).await);
        let (asked, many) = (scripts(&server) - before.0, calls(&server, "mget") - before.1);
        assert!(asked < 16 && many > 0, "{asked} scripts released {CROWD} locks in round {round}, {many} of them many");
        assert_nothing_left(&server);
    }
    // Those without a fence are taken by plain commands, and released as the others.
    let (before, many) = (scripts(&server), calls(&server, "mget"));
    let guards = in_one_moment(keys().iter().map(|key| runtime.lock(key).unfenced().acquire())).await;
    assert_eq!(scripts(&server), before);
    drop(guards);
    eventually_async("they are released together", SOON, async || calls(&server, "mget") > many).await;
    eventually_async("all of them", SOON, async || server.raw().keys().is_empty()).await;
    assert_nothing_left(&server);
}

#[tokio::test]
async fn a_script_for_many_whose_reply_was_lost_grants_and_releases_each_once() {
    for fault in [Fault::CutAfter, Fault::CutBefore] {
        let server = RedisServer::start();
        let proxy = Proxy::start(&server);
        let runtime = on(proxy.url()).await;
        assert_all_released(release(acquired(&runtime, &keys()).await).await);
        proxy.add(Rule::new(fault.clone()).matching("together:40").times(1));
        let guards = acquired(&runtime, &keys()).await;
        assert_eq!(proxy.struck(), 1);
        assert_fences(&server, &guards);
        proxy.add(Rule::new(fault).matching("together:40").times(1));
        assert_all_released(release(guards).await);
        assert_eq!(proxy.struck(), 2);
        assert_nothing_left(&server);
    }
}

#[tokio::test]
async fn a_script_for_many_that_is_refused_fails_nobody() {
    let refusals = ["OOM no room", "NOPERM not you", "BUSY for a moment", "ERR unknown command 'EVALSHA'", "NOSCRIPT"];
    // Each on a runtime of its own: after a refusal requests go by themselves for a while.
    for (refusal, of_acquire) in refusals.into_iter().flat_map(|refusal| [(refusal, true), (refusal, false)]) {
        let server = RedisServer::start();
        let proxy = Proxy::start(&server);
        let runtime = on(proxy.url()).await;
        assert_all_released(release(acquired(&runtime, &keys()).await).await);
        // The script for many is the first one with that key.
        let refuse = || proxy.add(Rule::new(Fault::Refuse(refusal.to_owned())).matching("together:40").times(1));
        if of_acquire {
            refuse();
        }
        let guards = acquired(&runtime, &keys()).await;
        assert_eq!(proxy.struck(), u64::from(of_acquire), "{refusal}");
        if !of_acquire {
            refuse();
        }
        assert_all_released(release(guards).await);
        assert_eq!(proxy.struck(), 1, "{refusal}");
        assert_nothing_left(&server);
    }
}

#[tokio::test]
async fn a_proxy_that_may_have_carried_out_a_script_for_many_fails_nobody() {
    let server = RedisServer::start();
    let proxy = Proxy::start(&server);
    let runtime = on(proxy.url()).await;
    let failed = || Rule::new(Fault::Answer("-upstream failure\r\n".to_owned())).matching("together:40").times(1);
    proxy.add(failed());
    let guards = acquired(&runtime, &keys()).await;
    assert_eq!(proxy.struck(), 1);
    proxy.add(failed());
    assert_all_released(release(guards).await);
    assert_eq!(proxy.struck(), 2);
    assert_nothing_left(&server);
}

#[tokio::test]
async fn each_lock_of_a_script_for_many_has_its_own_answer() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let runtime = on(server.url()).await;
    raw.command(&["SET", "together:20", "a client of another kind", "PX", "60000"]);
    raw.command(&["RPUSH", "together:30", "not", "a", "lock"]);
    raw.command(&["SET", "{together:40}:queue", "nonsense"]);
    let once = keys().into_iter().map(|key| runtime.lock(key).wait(Duration::ZERO).acquire()).collect::<Vec<_>>();
    let mut guards = Vec::new();
    for (id, guard) in in_one_moment(once.into_iter()).await.into_iter().enumerate() {
        match (id, guard) {
            (20, Err(error)) => assert!(error.is_busy(), "{error:?}"),
            (30, Err(error)) => assert!(error.is_config(), "{error:?}"),
            (20 | 30, Ok(_)) => panic!("{id} is not free"),
            (_, guard) => guards.push(guard.expect("it is free")),
        }
    }
    assert_fences(&server, &guards);
    raw.command(&["DEL", "together:21", "together:22", "together:23"]);
    raw.command(&["SET", "together:22", "a client of another kind", "PX", "60000"]);
    raw.command(&["RPUSH", "together:23", "not", "a", "lock"]);
    let other = on(server.url()).await;
    let waiting = tokio::spawn(other.lock("24").acquire());
    eventually_async("somebody waits", SOON, async || {
        raw.command(&["GET", "together:24"]).text().is_some_and(|value| value.ends_with('+'))
    })
    .await;
    let ids = guards.iter().map(|guard| guard.key().to_string()).collect::<Vec<_>>();
    for (id, released) in ids.into_iter().zip(release(guards).await) {
        match &*id {
            "21" | "22" => assert!(released.is_err_and(|error| error.is_lost()), "{id}"),
            "23" => assert!(released.is_err(), "{id}"),
            _ => released.expect("it was ours"),
        }
    }
    waiting.await.expect("no panic").expect("it is handed over").release().await.expect("ours");
    for (key, left) in
        [("together:20", "string"), ("together:22", "string"), ("together:23", "list"), ("together:30", "list")]
    {
        assert_eq!(raw.command(&["TYPE", key]), Value::Text(left.to_owned()), "{key}");
        raw.command(&["DEL", key]);
    }
    assert_nothing_left(&server);
}

#[test]
fn a_script_for_many_leaves_alone_what_others_wait_for() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    raw.command(&["ZADD", "{b}:queue", "1", "somebody"]);
    let acquire = ["EVAL", scripts::ACQUIRE_MANY, "5", "a", "dlock:fence-clock", "{a}:queue", "b", "{b}:queue"];
    let Value::List(replies) =
        raw.command(&[&acquire[..], &["2", "0", "0a-1", "60000", "me", "0a-2", "60000", "me"]].concat())
    else {
        panic!("it has replies")
    };
    assert_eq!(replies[0].text(), Some("10"));
    assert!(replies[1].int().is_some_and(|fence| fence > 1_000_000), "{replies:?}");
    assert!(raw.exists("a") && !raw.exists("b"));
    // And so does the one that releases: a mark says that somebody waits.
    raw.command(&["SET", "b", "0a-2 0 0 (me)+"]);
    let release = ["EVAL", scripts::RELEASE_MANY, "3", "a", "b", "c", "0a-1 ", "0a-2 ", "0a-3 "];
    assert_eq!(raw.command(&release).text(), Some("100"));
    assert!(raw.exists("b") && !raw.exists("a"));
    assert_eq!(raw.command(&release).text(), Some("000"));
}

#[tokio::test]
async fn a_key_that_is_forbidden_fails_alone() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    let mut rules = vec!["ACL", "SETUSER", "limited", "on", ">hunter2", "&*", "+@all", "~dlock:fence-clock"];
    let allowed = keys().into_iter().filter(|key| key != "40").chain(["dlock-probe:*".to_owned()]);
    let allowed =
        allowed.flat_map(|key| [format!("~together:{key}"), format!("~{{together:{key}}}:*")]).collect::<Vec<_>>();
    rules.extend(allowed.iter().map(String::as_str));
    assert!(raw.command(&rules).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://limited:hunter2@")).await;
    let mut guards = Vec::new();
    for (id, guard) in acquire(&runtime, &keys()).await.into_iter().enumerate() {
        match guard {
            Err(error) => assert!(id == 40 && error.is_config(), "{id}: {error:?}"),
            Ok(guard) => guards.push(guard),
        }
    }
    assert_eq!(guards.len(), CROWD - 1);
    assert_all_released(release(guards).await);
    assert_nothing_left(&server);
}

#[tokio::test]
async fn a_user_without_mget_locks_all_the_same() {
    let server = RedisServer::start();
    assert!(server.raw().command(&["ACL", "SETUSER", "few", "on", ">hunter2", "~*", "&*", "+@all", "-mget"]).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://few:hunter2@")).await;
    for _ in 0..3 {
        assert_all_released(release(acquired(&runtime, &keys()).await).await);
        assert_nothing_left(&server);
    }
    assert_eq!(calls(&server, "mget"), 0);
}

#[tokio::test]
async fn where_memory_is_full_each_is_refused_and_each_is_released() {
    let server = RedisServer::start();
    let runtime = on(server.url()).await;
    let guards = acquired(&runtime, &keys()).await;
    server.raw().command(&["CONFIG", "SET", "maxmemory", "1"]);
    let others = (0..CROWD).map(|id| runtime.lock(format!("other:{id}")).wait(Duration::ZERO).acquire());
    for refused in in_one_moment(others.collect::<Vec<_>>().into_iter()).await {
        let error = refused.expect_err("there is no room");
        assert!(error.is_unavailable() && format!("{error:?}").contains("OOM"), "{error:?}");
    }
    assert_all_released(release(guards).await);
    assert_nothing_left(&server);
}

#[tokio::test]
async fn a_runtime_that_does_not_know_where_its_requests_lead_asks_for_each_lock_by_itself() {
    let server = RedisServer::start();
    assert!(server.raw().command(&["ACL", "SETUSER", "few", "on", ">hunter2", "~*", "&*", "+@all", "-info"]).is_ok());
    let runtime = on(server.url().replace("redis://", "redis://few:hunter2@")).await;
    let before = scripts(&server);
    assert_all_released(release(acquired(&runtime, &keys()).await).await);
    let asked = scripts(&server) - before;
    assert!(
        asked >= 2 * CROWD as u64,
        "a proxy before several servers has no INFO, and would send them all to one: {asked}"
    );
    assert_nothing_left(&server);
}
