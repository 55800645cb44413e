//! What leaves, in which order, and whose replies count.

use std::task::{Context, Waker};

use redis::{ConnectionAddr, IntoConnectionInfo, aio::MultiplexedConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{
    super::{groups::Reach, link},
    *,
};

/// A connection, and its other end.
async fn connected() -> (Combiner, DuplexStream) {
    connected_with(Arc::default()).await
}

async fn connected_with(groups: Arc<Groups>) -> (Combiner, DuplexStream) {
    let info = "redis://unused".into_connection_info().expect("a URL");
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    let (here, there) = duplex(1024);
    let connected = MultiplexedConnection::new_with_config(&settings, here, link::config()).await;
    let (connection, driver) = connected.expect("nothing is said");
    // As over TLS it goes on, since somebody else drives it.
    tokio::spawn(driver);
    let place = Place { at: ConnectionAddr::Tcp("redis".to_owned(), 6379), name: "redis:6379".into() };
    let runtime = Handle::try_current().expect("a runtime");
    (Combiner::new(Link::driven_elsewhere(connection), runtime, Arc::new(place), groups, None), there)
}

fn call(combiner: &Combiner, word: &str, if_abandoned: IfAbandoned) -> tokio::task::JoinHandle<RedisResult<Value>> {
    let (combiner, command) = (combiner.clone(), redis::cmd(word));
    tokio::spawn(async move { combiner.call(command, if_abandoned).await })
}

/// Replies to each command until `word` was sent. Returns all that was sent.
async fn reply_up_to(there: &mut DuplexStream, word: &str) -> String {
    let (mut sent, mut bytes) = (String::new(), [0; 1024]);
    while !sent.contains(word) {
        let length = there.read(&mut bytes).await.expect("a request");
        let part = std::str::from_utf8(&bytes[..length]).expect("text");
        there.write_all("+OK\r\n".repeat(part.matches('*').count()).as_bytes()).await.expect("it is read");
        sent += part;
    }
    sent
}

#[tokio::test]
async fn a_reply_over_a_connection_that_was_cut_counts_for_nothing() {
    let (combiner, mut there) = connected().await;
    for is_cut in [false, true] {
        let call = call(&combiner, "PING", IfAbandoned::Dropped);
        assert!(there.read(&mut [0; 64]).await.expect("a request") > 0);
        if is_cut {
            combiner.cut();
        }
        there.write_all(b"+PONG\r\n").await.expect("it is read");
        let reply = call.await.expect("no panic");
        assert_eq!(reply.as_ref().is_err_and(|error| error.is_connection_dropped()), is_cut, "{reply:?}");
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_sent_unless_it_gives_a_lock_back() {
    let (combiner, mut there) = connected().await;
    let alone = (0..ALONE).map(|_| call(&combiner, "ALONE", IfAbandoned::Dropped)).collect::<Vec<_>>();
    while combiner.shared.waiting().alone() < ALONE {
        yield_now().await;
    }
    // The batches leave one after the other, and the server says nothing yet.
    let mut batches = Vec::new();
    for carriers in 1..=BATCHES {
        batches.push(call(&combiner, "BATCH", IfAbandoned::Dropped));
        while combiner.shared.waiting().carriers < carriers || !combiner.shared.waiting().gathered.is_empty() {
            yield_now().await;
        }
    }
    let gathered = [
        call(&combiner, "ACQUIRE", IfAbandoned::Dropped),
        call(&combiner, "RELEASE", IfAbandoned::Sent),
        call(&combiner, "WAITED", IfAbandoned::Dropped),
    ];
    while combiner.shared.waiting().gathered.len() < gathered.len() {
        yield_now().await;
    }
    let [acquire, release, waited] = gathered;
    for call in [acquire, release] {
        call.abort();
        assert!(call.await.expect_err("it is dropped").is_cancelled());
    }
    let sent = reply_up_to(&mut there, "WAITED").await;
    assert!(sent.contains("RELEASE") && !sent.contains("ACQUIRE"), "{sent}");
    for call in alone.into_iter().chain(batches).chain([waited]) {
        call.await.expect("no panic").expect("a reply");
    }
}

/// Has as many batches under way as may be. Returns how many that are.
async fn fill(combiner: &Combiner) -> usize {
    let seen = |waiting: &Waiting| (waiting.sent_alone, waiting.carriers, waiting.gathered.len());
    for _ in 0..ALONE + BATCHES as u64 + 1 {
        let before = seen(&combiner.shared.waiting());
        call(combiner, "UNANSWERED", IfAbandoned::Sent);
        while seen(&combiner.shared.waiting()) == before || combiner.shared.waiting().coming > 0 {
            yield_now().await;
        }
    }
    combiner.shared.waiting().carriers
}

#[tokio::test]
async fn a_server_of_a_cluster_has_one_batch_under_way_while_another_has_one_too() {
    let of_cluster = Groups::default();
    of_cluster.set_reach(Reach::Slots);
    let [one, other] = [of_cluster.beside(), of_cluster.beside()].map(Arc::new);
    let ((one, server), (other, _other_server)) = (connected_with(one).await, connected_with(other).await);
    assert_eq!((fill(&one).await, fill(&other).await), (BATCHES, 1), "the first had nobody beside it");
    drop(server);
    while one.shared.waiting().carriers > 0 {
        yield_now().await;
    }
    assert_eq!(fill(&other).await, BATCHES, "the first has none any more");
    let (alone, _server) = connected().await;
    assert_eq!(fill(&alone).await, BATCHES, "a server by itself has them all");
}

#[tokio::test]
async fn commands_at_whose_replies_nobody_looks_are_not_under_way_for_ever() {
    let (combiner, mut there) = connected().await;
    let mut unseen =
        (1..ALONE).map(|_| Box::pin(combiner.call(redis::cmd("RELEASE"), IfAbandoned::Sent))).collect::<Vec<_>>();
    for call in &mut unseen {
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let seen = call(&combiner, "ACQUIRE", IfAbandoned::Dropped);
    while combiner.shared.waiting().alone() < ALONE {
        yield_now().await;
    }
    reply_up_to(&mut there, "ACQUIRE").await;
    seen.await.expect("no panic").expect("a reply");
    assert_eq!(combiner.shared.waiting().alone(), 0, "replies come in order");
}
