//! What a closed server does, and what it does not do.

use dlock_testkit::{Fault, Raw, Rule, log};
use tokio::task::JoinSet;

use super::*;

const TTL: Duration = Duration::from_secs(2);
const QUARANTINE: Duration = Duration::from_secs(3);

async fn two(pair: &Pair) -> [Runtime; 2] {
    let build = || async { pair.builder(QUARANTINE).ttl(TTL).wait(SOON).build().await.expect("it is open") };
    [build().await, build().await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_the_new_master_lacks_is_granted_to_nobody_and_comes_back_with_its_renewal() {
    log::listen();
    let mut pair = Pair::open();
    let [first, second] = two(&pair).await;
    pair.lag();
    let held = first.lock("comes-back").acquire().await.expect("free");
    let unfenced = first.lock("unfenced").unfenced().acquire().await.expect("free");
    let parked = first.lock("lost").renew(false).acquire().await.expect("free");
    pair.fail_over();
    let closed = Instant::now();
    for key in ["comes-back", "unfenced", "lost", "never-held"] {
        assert!(is_closed(&second, key).await <= QUARANTINE);
    }
    let waiting = tokio::spawn(second.lock("comes-back").acquire());
    held.renew().await.expect("it comes back");
    unfenced.renew().await.expect("it comes back");
    let mut raw = pair.master().raw();
    assert_eq!(raw.last_fence("comes-back"), Some(held.fence()));
    // Nobody else had it, so to give back what the server never knew of is no loss.
    parked.release().await.expect("it was kept free");
    held.ensure_held().expect("ours");
    // It goes to nobody while the server is closed, though somebody waits for it.
    eventually("somebody waits", SOON, || raw.is_marked("comes-back"));
    held.release().await.expect("ours");
    assert!(closed.elapsed() < QUARANTINE && !raw.exists("comes-back"));
    let next = waiting.await.expect("no panic").expect("the server opens");
    assert!(closed.elapsed() > QUARANTINE - 200 * MS, "{:?}", closed.elapsed());
    assert!(closed.elapsed() < QUARANTINE + 4 * SECOND, "{:?}", closed.elapsed());
    next.release().await.expect("ours");
    unfenced.release().await.expect("ours");
    assert!(log::said("key=comes-back").iter().any(|(_, line)| line.contains("was brought back")));
    assert!(!log::warnings("the lock store grants nothing yet").is_empty(), "operators know");
    for key in ["comes-back", "unfenced", "lost"] {
        let said = log::said(&format!(" key={key} "));
        assert!(!said.iter().any(|(_, line)| line.contains(" reason=")), "nothing was lost: {said:?}");
    }
}

/// The server between lacks the lock, and so does the one before when it is the master again. Nobody asked the one between, so the epoch is
/// that which the request knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_long_under_way_is_granted_nothing_by_a_server_that_was_demoted_meanwhile() {
    let pair = Pair::open();
    let [first, second] = two(&pair).await;
    // The epoch, too.
    pair.until_copied();
    pair.lag();
    let lost = first.lock("late").renew(false).acquire().await.expect("free");
    second.lock("known").acquire().await.expect("free").release().await.expect("ours");
    pair.proxy.add(Rule::new(Fault::Hold).matching("late").times(1));
    let (asked, late) = (Instant::now(), tokio::spawn(second.lock("late").acquire()));
    eventually("it is under way", SOON, || pair.proxy.struck() == 1);
    pair.proxy.swallow();
    let [master, replica] = [pair.master(), pair.replica()];
    // It would catch up.
    master.pause();
    replica.resume();
    replica.promote();
    master.resume();
    master.follow(replica);
    master.promote();
    eventually("it was under way for longer than a second", SOON, || asked.elapsed() > SECOND + 100 * MS);
    let mut raw = master.raw();
    assert!(!raw.exists("late"), "the one between had no copy");
    let calls = |raw: &mut Raw| raw.command_stats().get("evalsha").copied();
    let (before, began) = (calls(&mut raw), Instant::now());
    pair.proxy.heal();
    eventually("it is carried out", SOON, || calls(&mut raw) > before);
    assert!(!raw.exists("late"), "somebody may have it yet");
    let late = late.await.expect("no panic").expect("the server opens");
    assert!(began.elapsed() > QUARANTINE - 200 * MS, "{:?}", began.elapsed());
    assert!(lost.renew().await.expect_err("it was not renewed").is_lost());
    late.release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_hold_in_the_copy_gives_way_to_the_one_that_was_granted_last() {
    let mut pair = Pair::open();
    let [first, second] = two(&pair).await;
    let old = first.lock("k").acquire().await.expect("free");
    pair.until_copied();
    pair.lag();
    old.release().await.expect("ours");
    let new = second.lock("k").acquire().await.expect("free");
    let token = pair.master().raw().token("k").expect("held");
    pair.fail_over();
    let mut raw = pair.master().raw();
    assert_ne!(raw.token("k").expect("the copy has the one before"), token);
    new.renew().await.expect("it comes back");
    assert_eq!(raw.token("k"), Some(token));
    new.release().await.expect("ours");

    // A client of another kind that took the key meanwhile is left alone.
    let new = second.lock("foreign").wait(SOON).acquire().await.expect("it opens");
    pair.heal();
    pair.lag();
    pair.fail_over();
    let mut raw = pair.master().raw();
    raw.command(&["DEL", "foreign"]);
    assert!(raw.command(&["SET", "foreign", "theirs", "PX", "60000"]).is_ok());
    assert!(new.renew().await.expect_err("it is theirs").is_lost());
    assert_eq!(raw.command(&["GET", "foreign"]).text(), Some("theirs"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_without_its_data_is_closed_and_gets_its_locks_back() {
    let mut server = RedisServer::start();
    server.open_guard();
    let builder = || Runtime::builder().redis(server.url()).failover_guard(QUARANTINE).ttl(TTL).wait(100 * MS);
    let (first, second) = (builder().build().await.expect("open"), builder().build().await.expect("open"));
    let held = first.lock("k").acquire().await.expect("free");
    server.restart();
    let error = second.lock("k").acquire().await.expect_err("it begins");
    assert!(settling(&error).is_some(), "{error:?}");
    held.renew().await.expect("it comes back");
    let error = second.lock("k").acquire().await.expect_err("it is held");
    assert!(settling(&error).is_some(), "who holds it is not known: {error:?}");
    second.lock("other").wait(SOON).acquire().await.expect("it opens").release().await.expect("ours");
    held.ensure_held().expect("it was renewed all the time");
    assert!(second.lock("k").acquire().await.expect_err("it is held").is_busy());
    held.release().await.expect("ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_locks_that_are_asked_for_together_are_closed_and_come_back_together() {
    let mut pair = Pair::open();
    let [first, second] = two(&pair).await;
    pair.lag();
    let all = |runtime: &Runtime, wait: Duration| {
        (0..100).map(|key| runtime.lock(format!("many:{key}")).wait(wait).acquire()).collect::<JoinSet<_>>().join_all()
    };
    let held = all(&first, SOON).await.into_iter().collect::<Result<Vec<_>, _>>().expect("free");
    pair.fail_over();
    for refused in all(&second, 2 * SECOND).await {
        let error = refused.expect_err("it is closed");
        assert!(settling(&error).is_some(), "{error:?}");
    }
    let mut raw = pair.master().raw();
    eventually("the keeper brings all of them back", SOON, || (0..100).all(|key| raw.exists(&format!("many:{key}"))));
    assert!(held.iter().all(Guard::is_held));
    let released = held.into_iter().map(Guard::release).collect::<JoinSet<_>>().join_all().await;
    released.into_iter().collect::<Result<Vec<()>, _>>().expect("all of them were kept");
    for guard in all(&second, SOON).await {
        guard.expect("it opens").release().await.expect("ours");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_looks_at_the_servers_life_some_ten_times_a_second_and_not_for_each_lock() {
    let server = RedisServer::start();
    server.open_guard();
    let runtime = Runtime::builder().redis(server.url()).failover_guard(true).build().await.expect("open");
    let mut raw = server.raw();
    assert!(raw.command(&["CONFIG", "RESETSTAT"]).is_ok());
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < SECOND {
        // One by one, and many at once.
        runtime.lock("one").acquire().await.expect("free").release().await.expect("ours");
        let crowd = (0..32).map(|key| runtime.lock(format!("looks:{key}")).acquire()).collect::<JoinSet<_>>();
        for guard in crowd.join_all().await {
            guard.expect("free").release().await.expect("ours");
        }
        count += 33;
    }
    let elapsed = began.elapsed();
    assert!(count >= 99, "{count}");
    // Two for each look at the epoch, and one for each look of the fence clock. If one comes late, some locks look at once.
    let most = elapsed.as_millis() as u64 / 60 * 2 + elapsed.as_millis() as u64 / 100 + 50;
    let looks = raw.command_stats()["info"];
    assert!(looks >= 6 && looks <= most, "{looks} in {elapsed:?}, and {most} at most");
}
