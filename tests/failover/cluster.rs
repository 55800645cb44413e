//! The guard is on by itself in a cluster, and knows each shard by itself.

use dlock_testkit::{Cluster, Value};
use tokio::task::JoinSet;

use super::*;

const QUARANTINE: Duration = Duration::from_secs(9);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_a_shard_whose_master_dies_comes_back_and_the_other_shards_go_on() {
    let mut cluster = Cluster::start_with(3, 1, &["--cluster-require-full-coverage", "no"]);
    let builder = || Runtime::builder().cluster(cluster.urls()).failover_guard(QUARANTINE).ttl(8 * SECOND).wait(SOON);
    let began = Instant::now();
    loop {
        let error = builder().wait(300 * MS).build().await.expect_err("its servers began a moment ago");
        if settling(&error).is_some() {
            break;
        }
        // On a busy machine nobody may answer in time.
        assert!(began.elapsed() < QUARANTINE / 2, "{error:?}");
    }
    let (first, second) = tokio::join!(builder().build(), builder().build());
    let (first, second) = (first.expect("it opens"), second.expect("it opens"));
    let masters = cluster.masters();
    let (old, well) = (masters[0], masters[1]);
    let [key, other, elsewhere] =
        [(old, "held"), (old, "other"), (well, "well")].map(|(at, key)| cluster.key_at(at, key));
    let new = cluster.replica_of(old);
    cluster.nodes[new].pause();
    let cut = cluster.nodes[old].raw().command(&["CLIENT", "KILL", "TYPE", "replica"]);
    assert_eq!(cut, Value::Int(1), "what is written now is copied by nobody");
    let held = first.lock(&*key).acquire().await.expect("free");
    cluster.nodes[old].kill();
    cluster.nodes[new].resume();
    let slot = cluster.slot(&key);
    eventually("there is a new master", SOON, || cluster.owner(slot) == new);
    is_closed(&second, &other).await;
    // Also if many are asked for together.
    let crowd = (0..200).map(|number| second.lock(format!("crowd{number}")).wait(2 * SECOND).acquire());
    let crowd = crowd.collect::<JoinSet<_>>().join_all().await;
    let closed = crowd.iter().filter(|guard| guard.as_ref().is_err_and(|error| settling(error).is_some())).count();
    assert!(closed > 20, "{closed}: {crowd:?}");
    let there = cluster.nodes[new].raw().keys();
    assert!(!there.iter().any(|key| key.starts_with("crowd")), "it is granted while the shard is closed: {there:?}");
    drop(crowd);
    second.lock(&*elsewhere).acquire().await.expect("another shard").release().await.expect("ours");
    let mut raw = cluster.nodes[new].raw();
    eventually("its renewal brings it back", SOON, || raw.exists(&key));
    held.ensure_held().expect("it was never lost");
    held.release().await.expect("ours");
    second.lock(&*key).acquire().await.expect("it opens").release().await.expect("ours");
    let crowd = (0..200).map(|number| second.lock(format!("crowd{number}")).acquire()).collect::<JoinSet<_>>();
    for guard in crowd.join_all().await {
        guard.expect("it is open").release().await.expect("ours");
    }
}

/// The server that they go to was open all the time, and does not know what their former master lacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_leave_a_closed_server_are_closed_where_they_go_to() {
    let mut cluster = Cluster::start(3, 1);
    let builder = || Runtime::builder().cluster(cluster.urls()).failover_guard(QUARANTINE).ttl(8 * SECOND).wait(SOON);
    let (first, second, third) = tokio::join!(builder().build(), builder().build(), builder().build());
    let [first, second, third] = [first, second, third].map(|runtime| runtime.expect("it opens"));
    let (old, to) = (cluster.masters()[0], cluster.masters()[1]);
    let key = cluster.key_at(old, "lost");
    let new = cluster.replica_of(old);
    cluster.nodes[new].pause();
    let cut = cluster.nodes[old].raw().command(&["CLIENT", "KILL", "TYPE", "replica"]);
    assert_eq!(cut, Value::Int(1), "what is written now is copied by nobody");
    let lost = first.lock(&*key).renew(false).acquire().await.expect("free");
    cluster.nodes[old].kill();
    cluster.nodes[new].resume();
    let slot = cluster.slot(&key);
    eventually("there is a new master", SOON, || cluster.owner(slot) == new);
    is_closed(&second, &key).await;
    let closed = Instant::now();
    cluster.move_slot(slot, to);
    for runtime in [&second, &third] {
        is_closed(runtime, &key).await;
    }
    let mut raw = cluster.nodes[to].raw();
    assert!(!raw.exists(&key), "somebody may have it yet");
    let other = cluster.key_at(to, "other");
    second.lock(&*other).acquire().await.expect("it did not move").release().await.expect("ours");
    let waiting = third.lock(&*key).acquire().await.expect("the server that it came from opens");
    assert!(!lost.is_held(), "after {:?}", closed.elapsed());
    waiting.release().await.expect("ours");
    second.lock(&*key).acquire().await.expect("it is open").release().await.expect("ours");
}

/// What is on its way from one shard to another is lost by nobody, so nothing closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_closes_nothing() {
    let cluster = Cluster::start(2, 0);
    let builder = || Runtime::builder().cluster(cluster.urls()).failover_guard(4 * SECOND).ttl(3 * SECOND).wait(SOON);
    let (first, second) = tokio::join!(builder().build(), builder().build());
    let (first, second) = (first.expect("it opens"), second.expect("it opens"));
    let (from, to) = (cluster.masters()[0], cluster.masters()[1]);
    let key = cluster.key_at(from, "moves");
    let slot = cluster.slot(&key);
    let held = first.lock(&*key).acquire().await.expect("free");
    let short = first.lock(format!("{{{key}}}")).acquire().await.expect("free");
    cluster.begin_to_move(slot, to);
    held.renew().await.expect("ours");
    cluster.move_keys(slot, from, to, 100);
    short.release().await.expect("ours, in the middle of the move");
    held.renew().await.expect("ours");
    cluster.finish_moving(slot, to);
    held.renew().await.expect("ours");
    assert!(second.lock(&*key).wait(SECOND).acquire().await.expect_err("held").is_busy());
    held.release().await.expect("ours");
    second
        .lock(&*key)
        .wait(SECOND)
        .acquire()
        .await
        .expect("the server has been open all the time")
        .release()
        .await
        .expect("ours");
}
