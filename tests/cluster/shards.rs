//! What holds on one server holds on each shard.

use std::time::Instant;

use dlock_testkit::{Cluster, Raw, Value, eventually};
use tokio::task::JoinSet;

use crate::{LONG, MS, PREFIX, SECOND, SOON, build, is_direct, key_at, on, until_waiting, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_lie_where_their_slots_are_and_are_handed_over_directly_on_each_shard() {
    let cluster = Cluster::shared();
    let [holder, waiter] = [build(cluster).await, build(cluster).await];
    for master in cluster.masters() {
        let key = key_at(cluster, master, "direct");
        let guard = holder.lock(&*key).acquire().await.expect("free");
        let mut raw = cluster.nodes[master].raw();
        assert!(raw.exists(&format!("{PREFIX}{key}")));
        assert!(waiter.lock(&*key).try_acquire().await.expect("asked").is_none());
        assert!(waiter.inspect(&*key).await.expect("asked").is_some());
        guard.renew().await.expect("ours");
        guard.release().await.expect("ours");
        assert!(!raw.exists(&format!("{PREFIX}{key}")));
        is_direct(&holder, &waiter, &key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runtimes_that_wait_are_served_in_their_order_on_each_shard() {
    let cluster = Cluster::shared();
    let mut runtimes = Vec::new();
    for _ in 0..4 {
        runtimes.push(build(cluster).await);
    }
    for master in cluster.masters() {
        let key = key_at(cluster, master, "fifo");
        let guard = runtimes[0].lock(&*key).acquire().await.expect("free");
        let (mut waiting, mut last) = (Vec::new(), guard.fence());
        for (before, runtime) in runtimes[1..].iter().enumerate() {
            waiting.push(wait_for(runtime, &key));
            until_waiting(&runtimes[0], &key, before as u64 + 1).await;
        }
        guard.release().await.expect("ours");
        for next in waiting {
            let guard = tokio::time::timeout(SOON, next).await.expect("its turn").expect("no panic");
            assert!(guard.fence() > last, "somebody who came later was served before");
            last = guard.fence();
            guard.release().await.expect("ours");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_runtime_hears_on_each_shard_that_another_waits() {
    let cluster = Cluster::shared();
    let [busy, other] = [on(cluster).yield_after(u32::MAX, 20 * MS), on(cluster)];
    let [busy, other] = [busy.build().await.expect("built"), other.build().await.expect("built")];
    for master in cluster.masters() {
        let key = key_at(cluster, master, "recall");
        let tasks = (0..4).map(|_| {
            let (busy, key) = (busy.clone(), key.clone());
            async move {
                loop {
                    let guard = busy.lock(&*key).acquire().await.expect("a turn");
                    tokio::time::sleep(MS).await;
                    guard.release().await.expect("ours");
                }
            }
        });
        let _tasks = tasks.collect::<JoinSet<()>>();
        let mut waits = Vec::new();
        for _ in 0..9 {
            tokio::time::sleep(10 * MS).await;
            let began = Instant::now();
            other.lock(&*key).acquire().await.expect("a turn").release().await.expect("ours");
            waits.push(began.elapsed());
        }
        waits.sort();
        // Without a recall the lock goes free once a second.
        assert!(waits[4] < 150 * MS, "{waits:?}");
    }
}

/// Each is heard on each of its shards by one connection with two channels.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_has_one_subscription_a_shard() {
    let cluster = Cluster::start(3, 0);
    let runtime = on(&cluster).client_name("checkout").build().await.expect("built");
    for node in &cluster.nodes {
        let mut raw = node.raw();
        eventually("it listens", SOON, || {
            let clients = raw.clients();
            let subscribed = |client: &&std::collections::BTreeMap<String, String>| client["ssub"] == "2";
            clients.iter().filter(subscribed).count() == 1 && clients.iter().all(|client| client["sub"] == "0")
        });
        let Value::List(channels) = raw.command(&["PUBSUB", "SHARDCHANNELS"]) else { panic!("a list") };
        assert!(channels.iter().all(|channel| channel.text().is_some_and(|name| name.starts_with("dlock:"))));
        assert!(raw.clients().iter().filter(|client| client["name"] == "checkout").count() >= 1);
    }
    runtime.shutdown(SECOND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_all_shards_are_locked_side_by_side_and_each_has_fences_of_its_own() {
    let cluster = Cluster::shared();
    let runtime = build(cluster).await;
    let locks = (0..300).map(|number| {
        let runtime = runtime.clone();
        async move {
            let key = format!("many{number}");
            let guard = runtime.lock(&*key).acquire().await.expect("free");
            let first = guard.fence();
            guard.release().await.expect("ours");
            let guard = runtime.lock(&*key).acquire().await.expect("free");
            assert!(guard.fence() > first);
            guard
        }
    });
    let guards = locks.collect::<JoinSet<_>>().join_all().await;
    let here = |master: usize| cluster.nodes[master].raw().keys().iter().filter(|key| key.contains(":many")).count();
    let held = cluster.masters().into_iter().map(here).collect::<Vec<_>>();
    assert_eq!(held.iter().sum::<usize>(), 300, "{held:?}");
    assert!(held.iter().all(|count| *count > 50), "{held:?}");
    for guard in guards {
        guard.release().await.expect("ours");
    }
}

/// A namespace with a hash tag has all its locks in one slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_with_a_hash_tag_of_its_own_works() {
    let cluster = Cluster::shared();
    let builder = || on(cluster).namespace("{shop}:").ttl(LONG);
    let [holder, waiter] = [builder().build().await.expect("built"), builder().build().await.expect("built")];
    is_direct(&holder, &waiter, "k").await;
}

/// Far fewer reads than leases, however many servers they lie on: they are renewed by one pipeline for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_held_keys_are_renewed_together_on_each_shard() {
    let cluster = Cluster::start(3, 0);
    let runtime = on(&cluster).ttl(3 * SECOND).build().await.expect("built");
    let locks = (0..1000).map(|number| runtime.lock(format!("held{number}")).acquire());
    let guards = locks.collect::<JoinSet<_>>().join_all().await.into_iter().collect::<Result<Vec<_>, _>>();
    let guards = guards.expect("free");
    let sum = |count: &dyn Fn(&mut Raw) -> u64| cluster.nodes.iter().map(|node| count(&mut node.raw())).sum::<u64>();
    let renewals = || sum(&|raw| raw.command_stats().get("pexpire").copied().unwrap_or(0));
    let reads = || sum(&|raw| raw.figure("stats", "total_reads_processed"));
    let before = [renewals(), reads()];
    eventually("all are renewed", SOON, || {
        // To look costs reads as well.
        std::thread::sleep(300 * MS);
        renewals() >= before[0] + 2000
    });
    let per_renewal = (reads() - before[1]) as f64 / (renewals() - before[0]) as f64;
    // A renewal by itself would be one.
    assert!(per_renewal < 0.5, "{per_renewal}");
    for guard in &guards {
        guard.ensure_held().expect("renewed");
    }
}
