//! Requests for many locks travel in one script for each master, whatever slots they are of. Each has its own answer.

#[allow(dead_code, reason = "not all of them are needed")]
#[path = "../../dlock-runtime/src/store/redis/scripts/mod.rs"]
mod scripts;

use std::collections::BTreeMap;

use dlock_runtime::{Guard, Runtime};
use dlock_testkit::{Cluster, Raw, Value, eventually};
use tokio::task::JoinSet;

use crate::{LONG, PREFIX, SECOND, build, key_at, on, until_waiting, wait_for};

/// So many that most of them gather behind the first, at each master.
const CROWD: usize = 300;

fn keys() -> Vec<String> {
    (0..CROWD).map(|number| format!("together{number}")).collect()
}

async fn acquire(runtime: &Runtime, keys: &[String]) -> BTreeMap<String, Guard> {
    let all = keys.iter().map(|key| {
        let (request, key) = (runtime.lock(key), key.clone());
        async move { (key, request.acquire().await.expect("free")) }
    });
    all.collect::<JoinSet<_>>().join_all().await.into_iter().collect()
}

async fn release(guards: BTreeMap<String, Guard>) {
    for released in guards.into_values().map(Guard::release).collect::<JoinSet<_>>().join_all().await {
        released.expect("ours");
    }
}

/// How often the masters ran a command.
fn calls(cluster: &Cluster, commands: &[&str]) -> u64 {
    let stats = cluster.nodes.iter().map(|node| node.raw().command_stats());
    stats.map(|stats| commands.iter().filter_map(|command| stats.get(*command)).sum::<u64>()).sum()
}

fn locks(cluster: &Cluster) -> usize {
    let here = |mut raw: Raw| raw.keys().iter().filter(|key| key.starts_with(PREFIX)).count();
    cluster.nodes.iter().map(|node| here(node.raw())).sum()
}

#[tokio::test]
async fn what_is_asked_for_in_one_moment_takes_a_few_scripts_on_each_shard() {
    let cluster = Cluster::start(3, 0);
    let runtime = build(&cluster).await;
    let scripts = || calls(&cluster, &["eval", "evalsha"]);
    let (mut last, mut fewest) = (BTreeMap::new(), [u64::MAX; 2]);
    // A busy machine may tear a round apart, and not all of them.
    for round in 0..6 {
        let before = scripts();
        let guards = acquire(&runtime, &keys()).await;
        fewest[0] = fewest[0].min(scripts() - before);
        for (key, guard) in &guards {
            let value = cluster.of(&format!("{PREFIX}{key}")).raw().command(&["GET", &format!("{PREFIX}{key}")]);
            let fence = value.text().and_then(|value| value.split(' ').nth(1)?.parse::<u64>().ok());
            assert_eq!(fence, Some(guard.fence()), "{value:?}");
            assert!(last.insert(key.clone(), guard.fence()).is_none_or(|before| before < guard.fence()), "{key}");
        }
        let before = scripts();
        release(guards).await;
        fewest[1] = fewest[1].min(scripts() - before);
        assert_eq!(locks(&cluster), 0);
        if round >= 2 && fewest.iter().all(|scripts| *scripts < CROWD as u64 / 4) {
            return;
        }
    }
    panic!("{fewest:?} scripts granted and released {CROWD} locks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lock_of_a_script_for_many_has_its_own_answer_also_if_its_slot_has_moved() {
    let cluster = Cluster::start(2, 0);
    let [runtime, other] = [build(&cluster).await, build(&cluster).await];
    let masters = cluster.masters();
    let [moved, leaves, wanted, spoilt] =
        ["moved", "leaves", "wanted", "spoilt"].map(|key| key_at(&cluster, masters[0], key));
    let name = |key: &str| format!("{PREFIX}{key}");
    let mut raw = cluster.nodes[masters[0]].raw();
    raw.command(&["SET", &format!("{{{}}}:queue", name(&spoilt)), "nonsense"]);
    let all = [&keys()[..], &[moved.clone(), leaves.clone(), wanted.clone(), spoilt]].concat();
    // Neither runtime has heard of it.
    cluster.move_slot(cluster.slot(&name(&moved)), masters[1]);
    cluster.begin_to_move(cluster.slot(&name(&leaves)), masters[1]);
    let rest = all.iter().filter(|key| **key != leaves).cloned().collect::<Vec<_>>();
    let mut guards = acquire(&runtime, &rest).await;
    assert!(cluster.nodes[masters[1]].raw().exists(&name(&moved)));
    cluster.finish_moving(cluster.slot(&name(&leaves)), masters[1]);
    guards.extend(acquire(&runtime, std::slice::from_ref(&leaves)).await);
    assert_eq!(locks(&cluster), all.len());
    let waiting = wait_for(&other, &wanted);
    until_waiting(&other, &wanted, 1).await;
    release(guards).await;
    let guard = tokio::time::timeout(SECOND, waiting).await.expect("it is handed over").expect("no panic");
    guard.release().await.expect("ours");
    eventually("nothing is left", LONG, || locks(&cluster) == 0);
}

/// What a server does not have it refuses by itself, key by key.
#[test]
fn a_script_for_many_touches_nothing_that_lies_elsewhere() {
    let cluster = Cluster::start(2, 0);
    let masters = cluster.masters();
    let mut raw = cluster.nodes[masters[0]].raw();
    let [here, there, leaves] =
        [(0, "here"), (1, "there"), (0, "leaves")].map(|(at, key)| cluster.key_at(masters[at], key));
    cluster.begin_to_move(cluster.slot(&leaves), masters[1]);
    let each = |key: &str, number: u32| {
        let [clock, queue] = [format!("dlock:fence-clock:{{{key}}}"), format!("{{{key}}}:queue")];
        [key.to_owned(), clock, queue, "0".to_owned(), format!("0a-{number}"), "60000".to_owned(), "me".to_owned()]
    };
    let mut run = |script: &str, args: &[String]| {
        raw.command(&[&["EVAL", script, "0"], &args.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat())
    };
    let args = [each(&here, 1), each(&there, 2), each(&leaves, 3)].concat();
    let Value::List(reply) = run(scripts::ACQUIRE_MANY_SLOTS, &args) else { panic!("it has replies") };
    let fences = reply[0].text().expect("a text").split(' ').map(|fence| fence.parse::<u64>().expect("a number"));
    let fences = fences.collect::<Vec<_>>();
    assert!(fences[0] > 1_000_000 && fences[1..] == [0, 0] && reply[1] == Value::Int(1), "{reply:?}");
    assert_eq!(cluster.nodes[masters[1]].raw().keys(), Vec::<String>::new());
    // All of them refused is an error, by which a server is known that takes no such scripts.
    let refused = run(scripts::ACQUIRE_MANY_SLOTS, &[each(&there, 2), each(&leaves, 3)].concat());
    assert!(matches!(refused, Value::Error(_)), "{refused:?}");
    let release = [&here, &there, &leaves].into_iter().zip(1..);
    let release = release.flat_map(|(key, number)| [key.clone(), format!("0a-{number} ")]).collect::<Vec<_>>();
    assert_eq!(run(scripts::RELEASE_MANY_SLOTS, &release).text(), Some("100"));
    assert_eq!(run(scripts::RELEASE_MANY_SLOTS, &release).text(), Some("000"));
    assert!(matches!(run(scripts::RELEASE_MANY_SLOTS, &release[2..]), Value::Error(_)));
}

/// Each clock was looked at a while ago.
fn make_clocks_due(cluster: &Cluster) {
    for node in &cluster.nodes {
        let mut raw = node.raw();
        for clock in raw.keys().iter().filter(|key| key.starts_with("dlock:fence-clock")) {
            raw.command(&["HINCRBY", clock, "checked", "-200000"]);
        }
    }
}

/// A slot's clock is looked at for each lock, and the server's life once for each script.
#[tokio::test]
async fn many_locks_cost_few_looks_at_the_life_of_their_server() {
    let cluster = Cluster::start(2, 0);
    let runtime = on(&cluster).build().await.expect("built");
    let (mut few, most) = (Vec::new(), CROWD as u64 / 4);
    for _ in 0..6 {
        make_clocks_due(&cluster);
        let before = [calls(&cluster, &["info"]), calls(&cluster, &["hset"])];
        release(acquire(&runtime, &keys()).await).await;
        let [looks, notes] = [calls(&cluster, &["info"]) - before[0], calls(&cluster, &["hset"]) - before[1]];
        few.push((looks, notes));
        // In the first round there is no clock yet.
        if few.len() > 1 && (1..most).contains(&looks) && notes < most {
            return;
        }
    }
    panic!("{few:?} looks and notes for {CROWD} locks");
}
