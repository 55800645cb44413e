//! Slots that move from server to server, key by key or at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use dlock_runtime::{Guard, Runtime};
use dlock_testkit::{Cluster, Dice, History, Value, eventually};
use tokio::task::JoinSet;

use crate::{LONG, MS, PREFIX, SECOND, SLACK, SOON, build, is_direct, key_at, on, until_waiting, wait_for};

/// The place of a master that is another one than that.
fn other(cluster: &Cluster, master: usize) -> usize {
    cluster.masters().into_iter().find(|at| *at != master).expect("there are three")
}

/// What is held is kept through the move of its slot, and what is asked for waits until that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_lock_survives_each_step_of_a_move_and_a_waiter_gets_it_after_it() {
    let cluster = Cluster::start(3, 0);
    let [holder, waiter] = [build(&cluster).await, build(&cluster).await];
    let from = cluster.masters()[0];
    let (to, key) = (other(&cluster, from), key_at(&cluster, from, "held"));
    let slot = cluster.slot(&format!("{PREFIX}{key}"));
    let held = holder.lock(&*key).ttl(2 * SECOND).acquire().await.expect("free");
    let first = held.fence();
    let waiting = wait_for(&waiter, &key);
    until_waiting(&holder, &key, 1).await;

    cluster.begin_to_move(slot, to);
    held.renew().await.expect("its key is where it was");
    for most in 0..3 {
        cluster.move_keys(slot, from, to, most);
        held.renew().await.expect("its key is at one of the two servers");
        assert!(!waiting.is_finished());
    }
    // Another key of the slot, as far as Redis is concerned: one that is not held.
    let began = Instant::now();
    let error = waiter.lock(&*key).wait(300 * MS).acquire().await.expect_err("it is held");
    assert!(error.is_busy() || error.is_unavailable(), "{error:?}");
    assert!(began.elapsed() < 300 * MS + SLACK, "{:?}", began.elapsed());
    // The keeper renews it, through all of that.
    tokio::time::sleep(3 * SECOND).await;
    held.ensure_held().expect("renewed");
    held.release().await.expect("it can be given back in the middle of the move");
    assert!(!cluster.nodes[from].raw().exists(&format!("{PREFIX}{key}")));
    cluster.finish_moving(slot, to);
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("soon").expect("no panic");
    assert!(guard.fence() > first);
    assert!(cluster.nodes[to].raw().exists(&format!("{PREFIX}{key}")));
    guard.release().await.expect("ours");
    is_direct(&holder, &waiter, &key).await;
}

/// Nobody would hear at the new server what is said to the old one's listeners: who waits asks anew, and need not poll.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_whose_lock_has_moved_is_handed_it_by_the_new_server() {
    let cluster = Cluster::start(3, 0);
    let [holder, waiter] = [build(&cluster).await, build(&cluster).await];
    let [from, to, ..] = cluster.masters()[..] else { panic!("there are three") };
    let key = key_at(&cluster, from, "waits");
    let lock = format!("{PREFIX}{key}");
    let queue = |at: usize| cluster.nodes[at].raw().command(&["ZRANGE", &format!("{{{lock}}}:queue"), "0", "-1"]);
    let held = holder.lock(&*key).acquire().await.expect("free");
    let waiting = wait_for(&waiter, &key);
    until_waiting(&holder, &key, 1).await;
    let before = queue(from);
    cluster.move_slot(cluster.slot(&lock), to);
    eventually("it asks anew", 5 * SECOND, || ![&before, &Value::List(Vec::new())].contains(&&queue(to)));
    held.release().await.expect("ours");
    assert!(cluster.nodes[to].raw().exists(&lock), "it has it before it polls");
    waiting.await.expect("no panic").release().await.expect("ours");
}

/// A lock with one key is followed by `ASK` while its slot is on its way, and `ASKING` and the command go in one piece: of many tasks
/// on one connection, none is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_follow_a_slot_that_is_on_its_way() {
    const TASKS: usize = 64;
    let cluster = Cluster::start(3, 0);
    let runtime = on(&cluster).namespace("{move}:").build().await.expect("built");
    let slot = cluster.slot("{move}:0");
    let from = cluster.owner(slot);
    let to = other(&cluster, from);
    let mut held = Vec::new();
    for number in 0..TASKS {
        held.push(runtime.lock(number.to_string()).acquire().await.expect("free"));
    }
    cluster.begin_to_move(slot, to);
    cluster.move_keys(slot, from, to, usize::MAX);
    let asked = |stats: &std::collections::BTreeMap<String, u64>| stats.get("asking").copied().unwrap_or(0);
    let before = asked(&cluster.nodes[to].raw().command_stats());
    for _ in 0..5 {
        let renewals = held.into_iter().map(async |guard: Guard| {
            guard.renew().await.expect("its key is at one of the two servers");
            guard
        });
        held = renewals.collect::<JoinSet<_>>().join_all().await;
    }
    let asked = asked(&cluster.nodes[to].raw().command_stats()) - before;
    // The first time it does not know the script.
    assert!((5 * TASKS as u64..=6 * TASKS as u64).contains(&asked), "each is asked once, and served: {asked}");
    for guard in held {
        guard.release().await.expect("ours");
    }
    cluster.finish_moving(slot, to);
    assert!(cluster.nodes[to].raw().keys().iter().all(|key| !key.starts_with("{move}")));
}

/// What happens without that: other commands come between the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn control_asking_apart_from_its_command_is_refused() {
    let cluster = Cluster::start(3, 0);
    let slot = cluster.slot("{move}:0");
    let to = other(&cluster, cluster.owner(slot));
    cluster.begin_to_move(slot, to);
    let client = redis::Client::open(cluster.nodes[to].url()).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await.expect("it is there");
    let refused = async |together: bool| {
        let tasks = (0..64).map(|_| {
            let mut connection = connection.clone();
            async move {
                let get = redis::cmd("GET").arg("{move}:0").to_owned();
                let reply: redis::RedisResult<redis::Value> = if together {
                    redis::pipe().cmd("ASKING").ignore().add_command(get).query_async(&mut connection).await
                } else {
                    let _: redis::Value = redis::cmd("ASKING").query_async(&mut connection).await.expect("allowed");
                    get.query_async(&mut connection).await
                };
                usize::from(reply.is_err())
            }
        });
        tasks.collect::<JoinSet<_>>().join_all().await.into_iter().sum::<usize>()
    };
    assert_eq!(refused(true).await, 0);
    assert!(refused(false).await > 16, "the control");
}

/// Why scripts declare all of their keys: with one of them, the others are made a second time where the slot goes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_a_script_with_one_declared_key_splits_a_lock_between_two_servers() {
    let cluster = Cluster::start(2, 0);
    let slot = cluster.slot("{move}:lock");
    let from = cluster.owner(slot);
    let to = other(&cluster, from);
    let [mut source, mut target] = [cluster.nodes[from].raw(), cluster.nodes[to].raw()];
    assert!(source.command(&["SET", "{move}:helper", "old"]).is_ok());
    cluster.begin_to_move(slot, to);
    let mut asking = |words: &[&str]| {
        assert!(target.command(&["ASKING"]).is_ok());
        target.command(words)
    };
    let script = "redis.call('SET', KEYS[1], 'lock') return redis.call('SET', KEYS[2] or ARGV[1], 'new')";
    assert!(source.command(&["EVAL", script, "1", "{move}:lock", "{move}:helper"]).is_error("ASK"));
    assert!(asking(&["EVAL", script, "2", "{move}:lock", "{move}:helper"]).is_error("TRYAGAIN"), "as ours are told");
    assert!(asking(&["EVAL", script, "1", "{move}:lock", "{move}:helper"]).is_ok(), "the control");
    let both = [source.command(&["GET", "{move}:helper"]), asking(&["GET", "{move}:helper"])];
    assert_eq!(both.each_ref().map(|value| value.text()), [Some("old"), Some("new")]);
}

/// What is counted of a plain message is no proof that somebody listens at this server, nor that nobody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_plain_messages_reach_all_servers_and_sharded_ones_are_counted_where_they_are() {
    let cluster = Cluster::shared();
    let [mut here, mut there] = [cluster.nodes[0].raw(), cluster.nodes[1].raw()];
    assert!(here.command(&["CLIENT", "REPLY", "ON"]).is_ok());
    here.send(&["SUBSCRIBE", "plain"]).expect("sent");
    here.receive().expect("subscribed");
    assert_eq!(there.command(&["PUBLISH", "plain", "message"]), Value::Int(0), "nobody is counted");
    assert!(matches!(here.receive().expect("a message"), Value::List(_)), "and it arrives all the same");
    assert!(there.command(&["SPUBLISH", &cluster.key_at(0, "dlock:"), "message"]).is_error("MOVED"));
}

/// Tasks of several runtimes that lock the same keys, and judges of each key.
struct Storm {
    stop: Arc<AtomicBool>,
    histories: Arc<Vec<History>>,
    turns: Arc<AtomicU32>,
    tasks: JoinSet<u32>,
}

/// What a task waits for at most.
const WAIT: Duration = Duration::from_secs(10);

impl Storm {
    fn begin(runtimes: &[Runtime], keys: &[String]) -> Self {
        let histories = Arc::new(keys.iter().map(|_| History::create()).collect::<Vec<_>>());
        let (stop, turns) = <(Arc<AtomicBool>, Arc<AtomicU32>)>::default();
        let mut tasks = JoinSet::new();
        for (number, runtime) in runtimes.iter().cycle().take(24).enumerate() {
            let (runtime, stop, histories) = (runtime.clone(), Arc::clone(&stop), Arc::clone(&histories));
            let (keys, turns) = (keys.to_vec(), Arc::clone(&turns));
            tasks.spawn(async move {
                let (mut dice, mut late, who) = (Dice(0x5eed + number as u64), 0, number.to_string());
                while !stop.load(Ordering::Relaxed) {
                    let at = dice.below(keys.len() as u64) as usize;
                    let began = Instant::now();
                    let guard = runtime.lock(&*keys[at]).ttl(5 * SECOND).wait(WAIT).acquire().await;
                    let guard = guard.expect("each is served within its patience");
                    late += u32::from(began.elapsed() > WAIT + SLACK);
                    histories[at].enter(&who, guard.fence());
                    tokio::time::sleep(Duration::from_micros(dice.below(2000))).await;
                    histories[at].leave(&who, guard.fence());
                    guard.release().await.expect("it was held throughout");
                    turns.fetch_add(1, Ordering::Relaxed);
                }
                late
            });
        }
        Self { stop, histories, turns, tasks }
    }

    /// Returns when there were so many turns more.
    fn until_turns(&self, more: u32) {
        let before = self.turns.load(Ordering::Relaxed);
        eventually("they work", SOON, || self.turns.load(Ordering::Relaxed) >= before + more);
    }

    async fn end(mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(late) = self.tasks.join_next().await {
            assert_eq!(late.expect("no panic"), 0, "nobody waits for longer than is said");
        }
        for history in self.histories.iter() {
            history.check().unwrap_or_else(|violation| panic!("{violation}"));
        }
        self.turns.load(Ordering::Relaxed)
    }
}

async fn three(cluster: &Cluster) -> [Runtime; 3] {
    [build(cluster).await, build(cluster).await, build(cluster).await]
}

/// How often a server said that a lock is elsewhere.
fn redirections(cluster: &Cluster) -> u64 {
    let count = |node: &dlock_testkit::RedisServer, error: &str| {
        let count = node.raw().info(&["INFO", "errorstats"], &format!("errorstat_{error}"));
        count.map_or(0, |count| count.trim_start_matches("count=").parse::<u64>().expect("a number"))
    };
    cluster.nodes.iter().map(|node| count(node, "MOVED") + count(node, "ASK")).sum()
}

/// Nothing of a lock is left on any server.
fn nothing_is_left(cluster: &Cluster) {
    for node in &cluster.nodes {
        let mut raw = node.raw();
        eventually("nothing is left", 3 * SECOND, || raw.keys().iter().all(|key| !key.contains(PREFIX)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slots_that_move_back_and_forth_key_by_key_disturb_no_lock() {
    let cluster = Cluster::start(3, 0);
    let runtimes = three(&cluster).await;
    let keys = (0..6).map(|number| key_at(&cluster, number % 3, &format!("storm{number}-"))).collect::<Vec<_>>();
    let storm = Storm::begin(&runtimes, &keys);
    for round in 0..4 {
        for key in &keys {
            let slot = cluster.slot(&format!("{PREFIX}{key}"));
            let from = cluster.owner(slot);
            cluster.begin_to_move(slot, (from + 1 + round % 2) % 3);
            cluster.finish_moving(slot, (from + 1 + round % 2) % 3);
        }
        storm.until_turns(100);
    }
    let turns = storm.end().await;
    assert!(turns >= 400, "{turns}");
    // Of each task at most one request is on its way when a slot moves, and a runtime is told once.
    let hops = redirections(&cluster);
    assert!(hops > 0 && hops <= 4 * 6 * 24, "{hops} hops for {turns} turns and 24 moves");
    nothing_is_left(&cluster);
    for key in &keys {
        is_direct(&runtimes[0], &runtimes[1], key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slots_that_move_at_once_disturb_no_lock() {
    let cluster = Cluster::start(3, 0);
    let help = cluster.nodes[0].raw().command(&["CLUSTER", "HELP"]);
    if !format!("{help:?}").contains("MIGRATESLOTS") {
        eprintln!("this server moves slots key by key only");
        return;
    }
    let runtimes = three(&cluster).await;
    let keys = (0..6).map(|number| key_at(&cluster, number % 3, &format!("storm{number}-"))).collect::<Vec<_>>();
    let storm = Storm::begin(&runtimes, &keys);
    for _ in 0..3 {
        for key in &keys {
            let slot = cluster.slot(&format!("{PREFIX}{key}"));
            let from = cluster.owner(slot);
            let (to, slot_text) = ((from + 1) % 3, slot.to_string());
            let reply = cluster.nodes[from].raw().command(&[
                "CLUSTER",
                "MIGRATESLOTS",
                "SLOTSRANGE",
                &slot_text,
                &slot_text,
                "NODE",
                &cluster.id(to),
            ]);
            assert!(reply.is_ok(), "{reply:?}");
            eventually("it has moved", SOON, || cluster.owner(slot) == to);
        }
        storm.until_turns(100);
    }
    storm.end().await;
    nothing_is_left(&cluster);
    for key in &keys {
        is_direct(&runtimes[0], &runtimes[1], key).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_is_added_takes_locks_and_one_that_is_removed_leaves_none() {
    let mut cluster = Cluster::start(3, 0);
    let runtimes = three(&cluster).await;
    let keys = (0..3).map(|number| key_at(&cluster, number, &format!("node{number}-"))).collect::<Vec<_>>();
    let storm = Storm::begin(&runtimes, &keys);
    storm.until_turns(50);
    let added = cluster.add_node();
    let slot = cluster.slot(&format!("{PREFIX}{}", keys[0]));
    cluster.move_slot(slot, added);
    storm.until_turns(100);
    assert!(storm.end().await > 100);
    let guard = runtimes[0].lock(&*keys[0]).acquire().await.expect("free");
    assert!(cluster.nodes[added].raw().exists(&format!("{PREFIX}{}", keys[0])));
    let mut raw = cluster.nodes[added].raw();
    eventually("all listen there", SOON, || raw.clients().iter().filter(|client| client["ssub"] == "2").count() == 3);
    guard.release().await.expect("ours");
    is_direct(&runtimes[1], &runtimes[2], &keys[0]).await;
    cluster.move_slot(slot, 0);
    drop(raw);
    cluster.remove_node();
    for key in &keys {
        is_direct(&runtimes[0], &runtimes[1], key).await;
    }
    nothing_is_left(&cluster);
    assert!(runtimes[2].lock(&*keys[0]).wait(LONG).acquire().await.is_ok());
}
