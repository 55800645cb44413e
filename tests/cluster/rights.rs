//! The block of SAFETY.md that gives a user of a cluster its rights is enough, and nothing in it is too much.

use std::{collections::BTreeSet, time::Duration};

use dlock_runtime::{LockError, Runtime};
use dlock_testkit::{Cluster, Raw, Value, eventually, log};

use crate::{MS, SECOND, SOON, key_at};

/// The rules of the block.
fn rules() -> Vec<String> {
    let safety = include_str!("../../SAFETY.md");
    let start = safety.find("ACL SETUSER fleet").expect("SAFETY.md has the block");
    let block = safety[start..].split("```").next().expect("it ends");
    let words = block.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words[..5], ["ACL", "SETUSER", "fleet", "on", ">password"], "{words:?}");
    words[5..].to_vec()
}

/// Makes the user on each node, with these rules and no others, and forgets what was refused before.
fn give(cluster: &Cluster, rules: &[String]) {
    for node in &cluster.nodes {
        let mut raw = node.raw();
        let words = ["ACL", "SETUSER", "fleet", "reset", "on", ">password"].into_iter();
        let words = words.chain(rules.iter().map(String::as_str)).collect::<Vec<_>>();
        assert!(raw.command(&words).is_ok(), "{words:?}");
        assert!(raw.command(&["ACL", "LOG", "RESET"]).is_ok());
    }
}

/// What the nodes refused.
fn refused(cluster: &Cluster) -> BTreeSet<String> {
    let entries = |mut raw: Raw| match raw.command(&["ACL", "LOG"]) {
        Value::List(entries) => entries.into_iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>(),
        other => panic!("ACL LOG gives a list: {other:?}"),
    };
    cluster.nodes.iter().flat_map(|node| entries(node.raw())).collect()
}

async fn runtime(cluster: &Cluster) -> Result<Runtime, LockError> {
    let urls = cluster.urls().into_iter().map(|url| url.replace("redis://", "redis://fleet:password@"));
    Runtime::builder().cluster(urls).failover_guard(false).namespace("cluster").ttl(SOON).wait(SOON).build().await
}

/// Two processes and locks on each shard: taken, waited for, handed over, renewed also while a slot is on its way, and given back.
async fn life(cluster: &Cluster) -> Result<(), LockError> {
    let [first, second] = [runtime(cluster).await?, runtime(cluster).await?];
    for master in 0..cluster.nodes.len() {
        let key = &*key_at(cluster, master, "rights");
        let guard = first.lock(key).acquire().await?;
        guard.renew().await?;
        let waiting = tokio::spawn(second.lock(key).acquire());
        let waits = async || Ok::<_, LockError>(first.inspect(key).await?.is_some_and(|holder| holder.waiters() == 1));
        let began = std::time::Instant::now();
        while !waits().await? && began.elapsed() < SOON {
            tokio::time::sleep(5 * MS).await;
        }
        assert!(first.lock(key).wait(100 * MS).acquire().await.is_err_and(|error| error.is_busy()));
        guard.release().await?;
        let guard = waiting.await.expect("no panic")?;
        assert!(first.is_locked(key).await?);
        guard.release().await?;
        drop(second.lock(key).ttl(Duration::from_millis(200)).acquire().await?);
        let moved = first.lock(key).acquire().await?;
        let (slot, to) = (cluster.slot(&format!("{}{key}", crate::PREFIX)), (master + 1) % cluster.nodes.len());
        cluster.begin_to_move(slot, to);
        cluster.move_keys(slot, master, to, usize::MAX);
        let (renewed, released) = (moved.renew().await, moved.release().await);
        cluster.finish_moving(slot, to);
        cluster.move_slot(slot, master);
        renewed?;
        released?;
    }
    first.shutdown(SECOND).await;
    second.shutdown(SECOND).await;
    Ok(())
}

/// What a warning says of a rule that is missing. Other tests share the log.
fn about(missing: &str) -> String {
    match missing.strip_prefix('+') {
        Some(command) => command.split('|').next().unwrap_or(command).to_uppercase(),
        None => "channel".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_of_safety_md_are_enough_in_a_cluster_and_each_is_needed() {
    log::listen();
    let cluster = Cluster::start(2, 0);
    let rules = rules();
    give(&cluster, &rules);
    life(&cluster).await.expect("these are enough");
    assert_eq!(refused(&cluster), BTreeSet::new());
    assert_eq!(log::warnings("may not"), Vec::<String>::new());
    for missing in rules.iter().filter(|rule| rule.starts_with(['~', '&', '+'])) {
        let fewer = rules.iter().filter(|rule| *rule != missing).cloned().collect::<Vec<_>>();
        give(&cluster, &fewer);
        let before = log::warnings(&about(missing)).len();
        let lived = tokio::time::timeout(2 * SOON, life(&cluster)).await.expect("it ends");
        assert!(!refused(&cluster).is_empty(), "{missing} is not needed: {lived:?}");
        // Those that are no errors are said in a warning, but for what only costs time.
        if lived.is_ok() && !["+evalsha", "+cluster|info"].contains(&missing.as_str()) {
            eventually(&format!("a warning without {missing}"), SOON, || log::warnings(&about(missing)).len() > before);
        }
        if missing == "+cluster|slots" {
            let said = crate::text(&lived.expect_err("nobody says where the locks are"));
            assert!(said.contains("may not run CLUSTER SLOTS"), "{said}");
        }
    }
}
