//! When a server opens, and who is told that it has not yet.

use super::*;

const QUARANTINE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_server_is_waited_for_at_build_or_the_error_says_how_long_it_takes_and_what_to_do() {
    let server = RedisServer::start();
    let began = Instant::now();
    let builder = || Runtime::builder().redis(server.url()).ttl(SECOND).failover_guard(QUARANTINE);
    let error = builder().wait(500 * MS).build().await.expect_err("it does not open in time");
    assert!(error.is_unavailable() && began.elapsed() < SECOND, "{error:?} after {:?}", began.elapsed());
    let said = text(&error);
    for cure in ["grants no locks for another", "failover_guard(false)", "connect_lazily()", "longer `wait`"] {
        assert!(said.contains(cure), "{said}");
    }
    let opens_in = settling(&error).expect("it says how long");
    assert!(opens_in > SECOND && opens_in <= QUARANTINE + SECOND, "{opens_in:?}");

    // Whoever does not wait at build is told by the first lock. `wait = 0` has an answer at once.
    let lazy = builder().wait(300 * MS).connect_lazily().build().await.expect("a runtime");
    for wait in [Duration::ZERO, 300 * MS] {
        let began = Instant::now();
        let error = lazy.lock("k").wait(wait).acquire().await.expect_err("it is closed");
        assert!(error.is_unavailable() && error.key().is_some(), "{error:?}");
        let source = error.source().and_then(|source| source.downcast_ref::<Settling>()).expect("that is the source");
        assert!(source.opens_in() <= opens_in, "{source:?}");
        assert!(began.elapsed() >= wait && began.elapsed() < wait + 2 * SECOND, "{wait:?}: {:?}", began.elapsed());
    }
    let mut raw = server.raw();
    eventually("nothing is left of those who gave up", SOON, || raw.keys().is_empty());

    // And one that waits for long enough is there as soon as the server opens.
    let runtime = builder().wait(SOON).build().await.expect("it opens");
    let (opened, least) = (began.elapsed(), QUARANTINE - SECOND);
    assert!(opened >= least && opened < QUARANTINE + 4 * SECOND, "{opened:?}");
    runtime.lock("k").wait(Duration::ZERO).acquire().await.expect("it is open").release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_been_there_for_longer_and_was_never_promoted_opens_at_once() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    eventually("it is four seconds old", SOON, || raw.figure("server", "uptime_in_seconds") >= 4);
    // A reply may be late on a busy machine, and a lease long enough for it.
    let guard = 2 * SECOND;
    let runtime = Runtime::builder().redis(server.url()).ttl(SECOND).failover_guard(guard).wait(Duration::ZERO);
    let runtime = runtime.build().await.expect("it is open");
    let held = runtime.lock("k").acquire().await.expect("it is open");

    // So nobody knows of `FLUSHALL`, of which SAFETY.md says that it is not covered.
    assert!(server.raw().command(&["FLUSHALL"]).is_ok());
    let other = Runtime::builder().redis(server.url()).ttl(SECOND).failover_guard(guard).build().await;
    let other = other.expect("it is open").lock("k").wait(Duration::ZERO).acquire().await.expect("nobody knows");
    drop((held, other));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_promoted_is_closed_also_if_its_epoch_was_never_copied_or_is_lost() {
    let mut pair = Pair::start();
    let mut replica = pair.replica().raw();
    eventually("the replica is older than the guard", SOON, || replica.figure("server", "uptime_in_seconds") >= 3);
    drop(replica);
    pair.fail_over();
    let builder = |pair: &Pair| pair.builder(1_100 * MS).ttl(100 * MS).wait(Duration::ZERO);
    let error = builder(&pair).build().await.expect_err("it is closed");
    assert!(settling(&error).is_some_and(|left| left > 500 * MS && left <= 1_100 * MS), "{error:?}");
    builder(&pair).wait(SOON).build().await.expect("it opens");
    assert!(pair.master().raw().command(&["FLUSHALL"]).is_ok());
    let error = builder(&pair).build().await.expect_err("it is closed again");
    assert!(settling(&error).is_some(), "{error:?}");
}

/// It does not shrink by itself: leases that are only renewed say nothing of it, so nobody knows when the last of them is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_quarantine_that_was_asked_for_counts_until_an_operator_shortens_it() {
    let mut pair = Pair::open();
    drop(pair.builder(31 * SECOND).ttl(SECOND).build().await.expect("it is open"));
    let runtime = pair.builder(QUARANTINE).ttl(SECOND).wait(Duration::ZERO).build().await.expect("it is open");
    let new_lock_after_a_failover = async |pair: &mut Pair| {
        pair.until_copied();
        pair.fail_over();
        let error = runtime.lock("new").wait(SECOND).acquire().await.expect_err("it is closed");
        let left = settling(&error).expect("that is why");
        pair.heal();
        left
    };
    let left = new_lock_after_a_failover(&mut pair).await;
    assert!(left > 25 * SECOND, "{left:?}");
    // As SAFETY.md says.
    let shorten = |pair: &Pair, opens: &str| {
        let mut raw = pair.master().raw();
        let epoch = raw.command(&["GET", "dlock:epoch"]).text().expect("a text").to_owned();
        let [run, history, _, longest] = epoch.split(' ').collect::<Vec<_>>()[..] else { panic!("{epoch}") };
        assert_eq!(longest, "31000");
        let shorter = format!("{run} {history} {opens} {}", QUARANTINE.as_millis());
        assert!(raw.command(&["SET", "dlock:epoch", &shorter]).is_ok());
    };
    // The time until then is not what this is about.
    shorten(&pair, "0");
    let guard = runtime.lock("held").wait(SECOND).acquire().await.expect("nothing closes by that");
    guard.release().await.expect("ours");
    let left = new_lock_after_a_failover(&mut pair).await;
    assert!(left <= QUARANTINE, "{left:?}");
}

#[tokio::test]
async fn a_ttl_that_the_guard_does_not_cover_is_a_mistake_that_names_its_cure() {
    let server = RedisServer::shared();
    server.open_guard();
    let builder = || Runtime::builder().redis(server.url()).ttl(2 * SECOND);
    let runtime = builder().failover_guard(true).build().await.expect("it is open");
    runtime.lock("short").acquire().await.expect("free").release().await.expect("ours");
    let error = runtime.lock("long").ttl(2_001 * MS).acquire().await.expect_err("the guard is of 3 s");
    assert!(error.is_config(), "{error:?}");
    let said = text(&error);
    assert!(
        said.contains("failover guard of 3s covers 2s at most") && said.contains("failover_guard(3.001s)"),
        "{said}"
    );
    let error = builder().failover_guard(2_999 * MS).build().await.expect_err("that of the builder is too long");
    assert!(error.is_config() && text(&error).contains("covers 1.999s at most"), "{error:?}");
    let runtime = builder().failover_guard(31 * SECOND).build().await.expect("it is open");
    runtime.lock("long").ttl(30 * SECOND).acquire().await.expect("covered").release().await.expect("ours");
}

#[tokio::test]
async fn embedded_locks_have_nothing_to_guard() {
    let runtime = Runtime::builder().embedded().failover_guard(true).ttl(SECOND).build().await.expect("a runtime");
    let guard = runtime.lock("failover:embedded").ttl(60 * SECOND).acquire().await.expect("any ttl");
    guard.release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_info_is_told_that_the_guard_needs_it() {
    let server = RedisServer::start();
    let mut raw = server.raw();
    for missing in ["-info", "resetkeys ~x* ~{x* ~dlock:fence-clock*"] {
        let rules = ["ACL", "SETUSER", "shop", "reset", "on", ">p", "~*", "&*", "+@all"];
        let rules = rules.into_iter().chain(missing.split(' ')).collect::<Vec<_>>();
        assert!(raw.command(&rules).is_ok());
        let builder = || Runtime::builder().redis(server.url().replace("redis://", "redis://shop:p@")).namespace("x");
        let error = builder().failover_guard(true).build().await.expect_err("it cannot be guarded");
        let said = text(&error);
        assert!(error.is_config() && said.contains("the failover guard needs INFO"), "{missing}: {said}");
        builder().build().await.expect("without a guard all is well");
    }
}
