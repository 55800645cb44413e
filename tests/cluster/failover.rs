//! What becomes of locks, waiters and connections when a replica takes the place of a master.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dlock_runtime::Builder;
use dlock_testkit::{Cluster, Value, eventually};
use tokio::task::JoinSet;

use crate::{LONG, MS, PREFIX, SECOND, SLACK, SOON, at, build, is_direct, key_at, on, text, until_waiting, wait_for};

/// Returns when the replica of a master has what that has.
fn until_copied(cluster: &Cluster, master: usize) {
    let mut raw = cluster.nodes[master].raw();
    let key = cluster.key_at(master, "copied");
    eventually("it is copied", SOON, || {
        raw.command(&["SET", &key, "1"]);
        raw.command(&["WAIT", "1", "1000"]) == Value::Int(1)
    });
}

/// How many runtimes listen at a server.
fn listeners(cluster: &Cluster, at: usize) -> usize {
    cluster.nodes[at].raw().clients().iter().filter(|client| client["ssub"] == "2").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_keeps_locks_and_moves_everything_to_the_new_master() {
    let cluster = Cluster::start(3, 1);
    let [holder, waiter] =
        [on(&cluster).client_name("checkout"), on(&cluster).client_name("checkout")].map(Builder::build);
    let (holder, waiter) = (holder.await.expect("a runtime"), waiter.await.expect("a runtime"));
    let old = cluster.masters()[0];
    let [key, free] = ["held", "free"].map(|start| key_at(&cluster, old, start));
    let held = holder.lock(&*key).ttl(8 * SECOND).acquire().await.expect("free");
    let waiting = wait_for(&waiter, &key);
    until_waiting(&holder, &key, 1).await;
    until_copied(&cluster, old);
    let new = cluster.fail_over(old);
    let moved = Instant::now();
    holder.lock(&*free).acquire().await.expect("free").release().await.expect("ours");
    assert!(moved.elapsed() < SECOND, "{:?}", moved.elapsed());
    held.renew().await.expect("it was copied, so it is ours yet");
    assert!(!waiting.is_finished());
    assert!(cluster.nodes[new].raw().exists(&format!("{PREFIX}{key}")));
    held.release().await.expect("ours");
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is its turn").expect("no panic");
    guard.release().await.expect("ours");
    eventually("both listen at the new master", 3 * SECOND, || listeners(&cluster, new) == 2);
    is_direct(&holder, &waiter, &key).await;
    let mut at_old = cluster.nodes[old].raw();
    let ours = |client: &std::collections::BTreeMap<String, String>| client["name"] == "checkout";
    eventually("nobody of us is at the old master", SOON, || !at_old.clients().iter().any(ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_killed_costs_the_time_of_the_cluster_and_the_other_shards_nothing() {
    let mut cluster = Cluster::start_with(3, 1, &["--cluster-require-full-coverage", "no"]);
    let masters = cluster.masters();
    let (old, well) = (masters[0], masters[1]);
    // Errors name the cluster by these, and the server that did not answer.
    let builder = || at([cluster.nodes[well].url()]);
    let [holder, waiter] = [builder().build().await.expect("built"), builder().build().await.expect("built")];
    let [key, free, late] = ["held", "free", "late"].map(|start| key_at(&cluster, old, start));
    let [safe, busy] = ["safe", "busy"].map(|start| key_at(&cluster, well, start));
    let held = holder.lock(&*key).ttl(30 * SECOND).acquire().await.expect("free");
    let also_held = holder.lock(&*safe).ttl(2 * SECOND).acquire().await.expect("free");
    let waiting = wait_for(&waiter, &key);
    until_waiting(&holder, &key, 1).await;
    until_copied(&cluster, old);
    let new = cluster.replica_of(old);
    let port = cluster.nodes[old].port();
    cluster.nodes[old].kill();
    // Nobody waits for longer than is said, with an error that says what is wrong and where.
    for round in 0..4 {
        let wait = 100 * MS * round;
        let began = Instant::now();
        let error = holder.lock(&*free).wait(wait).acquire().await.expect_err("nobody is there");
        assert!(error.is_unavailable(), "{error:?}");
        assert!(began.elapsed() < wait.max(500 * MS) + SLACK, "{wait:?}: {:?}", began.elapsed());
        assert!(text(&error).contains(&format!("127.0.0.1:{port}")), "{}", text(&error));
        // The other shards go on.
        holder.lock(&*busy).wait(SECOND).acquire().await.expect("free").release().await.expect("ours");
    }
    let patient = holder.lock(&*late).acquire();
    cluster.until_master(new);
    let recovered = Instant::now();
    patient.await.expect("there is a master").release().await.expect("ours");
    assert!(recovered.elapsed() < SECOND, "{:?}", recovered.elapsed());
    held.renew().await.expect("it was copied, so it is ours yet");
    also_held.ensure_held().expect("renewed all the time");
    assert!(!waiting.is_finished());
    held.release().await.expect("ours");
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is its turn").expect("no panic");
    guard.release().await.expect("ours");
    eventually("both listen at the new master", 3 * SECOND, || listeners(&cluster, new) == 2);
    is_direct(&holder, &waiter, &key).await;
    also_held.release().await.expect("ours");
    // It comes back, and is made a replica.
    cluster.nodes[old].restart();
    cluster.until_ok();
    is_direct(&holder, &waiter, &key).await;
}

/// Whoever is on call looks at that one, and not at all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_names_the_server_that_does_not_answer() {
    let cluster = Cluster::start(3, 0);
    let masters = cluster.masters();
    let (silent, seed) = (&cluster.nodes[masters[0]], &cluster.nodes[masters[1]]);
    let runtime = at([seed.url()]).command_timeout(300 * MS).build().await.expect("built");
    let [held, free] = ["held", "free"].map(|start| key_at(&cluster, masters[0], start));
    let guard = runtime.lock(&*held).ttl(30 * SECOND).acquire().await.expect("free");
    silent.pause();
    let errors = [
        runtime.lock(&*free).wait(300 * MS).acquire().await.expect_err("it does not answer"),
        runtime.inspect(&*held).await.expect_err("nor here"),
        guard.renew().await.expect_err("nor here"),
        guard.release().await.expect_err("nor here"),
    ];
    silent.resume();
    for error in errors {
        assert!(text(&error).contains(&format!("127.0.0.1:{}", silent.port())), "{}", text(&error));
    }
}

/// It takes itself for a master until it hears of the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_master_that_comes_back_grants_nothing() {
    let cluster = Cluster::start_with(3, 1, &["--cluster-require-full-coverage", "no"]);
    // What is under way at the old master would wait there for this long.
    let runtime = on(&cluster).command_timeout(SOON).build().await.expect("a runtime");
    let old = cluster.masters()[0];
    let [before, under_way, after] = ["before", "under-way", "after"].map(|start| key_at(&cluster, old, start));
    runtime.lock(&*before).acquire().await.expect("free").release().await.expect("ours");
    until_copied(&cluster, old);
    let new = cluster.replica_of(old);
    cluster.nodes[old].pause();
    let waiting = tokio::spawn(runtime.lock(&*under_way).acquire());
    // Nodes that do not run are not asked.
    eventually("there is a new master", SOON, || {
        cluster.nodes[new].raw().info(&["INFO", "replication"], "role").as_deref() == Some("master")
    });
    let guard = tokio::time::timeout(3 * SECOND, waiting).await.expect("soon").expect("no panic").expect("a master");
    cluster.nodes[old].resume();
    assert!(cluster.nodes[new].raw().exists(&format!("{PREFIX}{under_way}")));
    guard.ensure_held().expect("by the new master");
    let other = runtime.lock(&*after).acquire().await.expect("free");
    assert!(cluster.nodes[new].raw().exists(&format!("{PREFIX}{after}")));
    other.release().await.expect("ours");
    guard.release().await.expect("ours");
}

/// Without a majority a master stops by itself, and goes on when the others are back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_grants_nothing_and_everything_works_when_it_is_over() {
    let cluster = Cluster::start(3, 0);
    let runtime = build(&cluster).await;
    let masters = cluster.masters();
    let key = key_at(&cluster, masters[0], "alone");
    masters[1..].iter().for_each(|at| cluster.nodes[*at].pause());
    let mut raw = cluster.nodes[masters[0]].raw();
    eventually("it knows that it is alone", SOON, || {
        raw.info(&["CLUSTER", "INFO"], "cluster_state").as_deref() == Some("fail")
    });
    let began = Instant::now();
    let error = runtime.lock(&*key).wait(500 * MS).acquire().await.expect_err("it grants nothing");
    assert!(error.is_unavailable() && text(&error).to_lowercase().contains("down"), "{}", text(&error));
    assert!(began.elapsed() < 500 * MS + SLACK, "{:?}", began.elapsed());
    let patient = tokio::spawn(runtime.lock(&*key).acquire());
    masters[1..].iter().for_each(|at| cluster.nodes[*at].resume());
    cluster.until_ok();
    let guard = tokio::time::timeout(SECOND, patient).await.expect("soon").expect("no panic").expect("it works");
    guard.release().await.expect("ours");
    for master in masters {
        let other = build(&cluster).await;
        is_direct(&runtime, &other, &key_at(&cluster, master, "again")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_work_on_after_each_failover_and_leave_nothing() {
    const TTL: Duration = Duration::from_secs(2);
    const WAIT: Duration = Duration::from_secs(15);
    let mut cluster = Cluster::start(3, 1);
    let runtimes = [build(&cluster).await, build(&cluster).await, build(&cluster).await];
    let keys = (0..6).map(|number| key_at(&cluster, number % 3, &format!("storm{number}-"))).collect::<Arc<[_]>>();
    let (turns, stop) = <(Arc<AtomicU32>, Arc<AtomicBool>)>::default();
    let mut tasks = JoinSet::new();
    for (number, runtime) in runtimes.iter().cycle().take(12).enumerate() {
        let (runtime, turns, stop, keys) = (runtime.clone(), turns.clone(), stop.clone(), keys.clone());
        tasks.spawn(async move {
            let key = &*keys[number % keys.len()];
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let guard = runtime.lock(key).ttl(TTL).wait(WAIT).acquire().await.expect("within its patience");
                assert!(began.elapsed() < WAIT + SLACK);
                tokio::time::sleep(MS).await;
                // It may be lost, if the new master never had it.
                turns.fetch_add(u32::from(guard.release().await.is_ok()), Ordering::Relaxed);
            }
        });
    }
    let until_turns = |more: u32| {
        let before = turns.load(Ordering::Relaxed);
        eventually("they work", SOON, || turns.load(Ordering::Relaxed) > before + more)
    };
    until_turns(50);
    let master = cluster.masters()[0];
    cluster.fail_over(master);
    until_turns(50);
    cluster.until_ok();
    let (dead, next) = (cluster.masters()[1], cluster.replica_of(cluster.masters()[1]));
    cluster.nodes[dead].kill();
    cluster.until_master(next);
    cluster.until_ok();
    until_turns(50);
    cluster.nodes[dead].restart();
    cluster.until_ok();
    until_turns(50);
    stop.store(true, Ordering::Relaxed);
    while let Some(task) = tasks.join_next().await {
        task.expect("no panic");
    }
    // A lock that the new master has and its holder gave back to the old one goes with its TTL.
    for node in &cluster.nodes {
        let mut raw = node.raw();
        eventually("nothing is left", 2 * TTL, || raw.keys().iter().all(|key| !key.starts_with(PREFIX)));
    }
    is_direct(&runtimes[0], &runtimes[1], &keys[0]).await;
    assert!(runtimes[2].lock(&*keys[1]).wait(LONG).acquire().await.is_ok());
}
