//! The mark at the end of a lock's value: it says that somebody waits, and a release without it looks at no queue.

use dlock_testkit::{Raw, RedisServer, Value, eventually, eventually_async};

use crate::{SOON, build_some, got, hold, nothing_is_left, on, queue_up, shared, until_waiting, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_marks_the_lock_and_a_release_without_the_mark_is_get_and_del() {
    let server = RedisServer::start();
    let (mut raw, lock) = (server.raw(), "turns:marked");
    let [one, other] = build_some(on(&server)).await;
    hold(&one, "marked").await.release().await.expect("ours");
    let guard = hold(&one, "marked").await;
    assert!(!raw.is_marked(lock), "nobody waits");
    let before = raw.command_stats();
    guard.release().await.expect("ours");
    let after = raw.command_stats();
    let spent = after.iter().filter_map(|(name, count)| {
        let more = count - before.get(name).copied().unwrap_or(0);
        (more > 0 && !["evalsha", "info", "publish", "role", "pubsub|numsub"].contains(&&**name))
            .then_some((&**name, more))
    });
    assert_eq!(spent.collect::<Vec<_>>(), [("del", 1), ("get", 1)]);

    let guard = hold(&one, "marked").await;
    let waiting = wait_for(&other, "marked");
    eventually("it marks the lock", SOON, || raw.is_marked(lock));
    until_waiting(&one, "marked", 1).await;
    guard.release().await.expect("ours");
    let (guard, _) = got(waiting).await;
    assert!(!raw.is_marked(lock), "nobody waits any more");
    guard.release().await.expect("ours");
    nothing_is_left(&mut raw, lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_comes_once_and_survives_renewals_and_more_fences() {
    let server = RedisServer::start();
    let (mut raw, lock) = (server.raw(), "turns:kept");
    let [one, other, third] = build_some(on(&server).yield_after(10_000, SOON)).await;
    let guard = hold(&one, "kept").await;
    let first = wait_for(&other, "kept");
    until_waiting(&one, "kept", 1).await;
    let second = wait_for(&third, "kept");
    until_waiting(&one, "kept", 2).await;
    // They mark again.
    until_all_ask_again(&mut raw, lock).await;
    let value = raw.command(&["GET", lock]).text().expect("held").to_owned();
    assert!(value.ends_with(")+") && !value.ends_with("++"), "{value}");
    guard.renew().await.expect("held");
    assert_eq!(raw.command(&["GET", lock]).text(), Some(&*value), "a renewal changes nothing");
    // A turn of the same process needs fences, which were not reserved for one.
    let last = raw.last_fence(lock);
    let next = queue_up(&one, "kept", 1).await;
    guard.release().await.expect("ours");
    for next in next {
        let (guard, _) = got(next).await;
        assert!(raw.last_fence(lock) > last, "the negative control: there are more fences");
        assert!(raw.is_marked(lock));
        guard.release().await.expect("ours");
    }
    let (guard, _) = got(first).await;
    assert!(raw.is_marked(lock), "the other one still waits");
    guard.release().await.expect("ours");
    let (guard, _) = got(second).await;
    assert!(!raw.is_marked(lock));
    guard.release().await.expect("ours");
    nothing_is_left(&mut raw, lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_value_of_another_client_is_never_marked() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:unmarked");
    let [one] = build_some(shared()).await;
    // One of them looks like ours.
    for value in ["foreign", "0a-1 5 6 who", "0a-1", ""] {
        assert!(raw.command(&["SET", lock, value, "PX", "30000"]).is_ok());
        let waiting = wait_for(&one, "unmarked");
        until_waiting(&one, "unmarked", 1).await;
        until_all_ask_again(&mut raw, lock).await;
        assert_eq!(raw.command(&["GET", lock]).text(), Some(value), "it can be compared as a whole");
        assert_eq!(raw.command(&["DEL", lock]).int(), Some(1));
        got(waiting).await.0.release().await.expect("ours");
        nothing_is_left(&mut raw, lock);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_was_lost_costs_who_waits_no_more_than_a_poll() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:lost-mark");
    let [one, other] = build_some(shared()).await;
    for again in [false, true] {
        let guard = hold(&one, "lost-mark").await;
        let value = raw.command(&["GET", lock]).text().expect("held").to_owned();
        let waiting = wait_for(&other, "lost-mark");
        eventually("it marks the lock", SOON, || raw.is_marked(lock));
        until_waiting(&one, "lost-mark", 1).await;
        assert!(raw.command(&["SET", lock, &value, "KEEPTTL"]).is_ok());
        if again {
            eventually("who waits marks it again with the next poll", SOON, || raw.is_marked(lock));
        }
        // A release that sees no mark leaves the lock free, and who waits finds it so.
        guard.release().await.expect("ours");
        got(waiting).await.0.release().await.expect("ours");
        nothing_is_left(&mut raw, lock);
    }
    // Somebody overwrote the value: it is neither ours to release nor marked.
    let guard = hold(&one, "lost-mark").await;
    let waiting = wait_for(&other, "lost-mark");
    eventually("it marks the lock", SOON, || raw.is_marked(lock));
    assert!(raw.command(&["SET", lock, "foreign", "PX", "30000"]).is_ok());
    assert!(guard.release().await.is_err_and(|error| error.is_lost()));
    assert_eq!(raw.command(&["GET", lock]).text(), Some("foreign"));
    assert!(!waiting.is_finished());
    assert_eq!(raw.command(&["DEL", lock]).int(), Some(1));
    got(waiting).await.0.release().await.expect("ours");
    nothing_is_left(&mut raw, lock);
}

/// Waits until each of those in the queue has asked once more.
async fn until_all_ask_again(raw: &mut Raw, lock: &str) {
    let seen = format!("{{{lock}}}:seen");
    let mut counts_until = |place: &str| match raw.command(&["ZRANGE", &seen, place, place, "WITHSCORES"]) {
        Value::List(entry) => {
            entry.get(1).and_then(Value::text).and_then(|until| until.parse::<u64>().ok()).unwrap_or(0)
        }
        other => panic!("no sorted set: {other:?}"),
    };
    let last = counts_until("-1");
    eventually_async("all of them ask again", SOON, async || counts_until("0") > last).await;
}
