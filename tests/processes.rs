//! Mutual exclusion over operating-system processes: the test binary started several times, one Redis, one append-only
//! history. The same processes without a lock are condemned by the same judge.

use std::{path::PathBuf, time::Duration};

use dlock_runtime::Runtime;
use dlock_testkit::{History, RedisServer, Worker, eventually, role, say, with_turns};

const LONG: Duration = Duration::from_secs(60);
const TTL: Duration = Duration::from_secs(1);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}

/// Where worker processes of this file start.
#[test]
fn worker_entry() {
    let Some(role) = role() else { return };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    tokio.block_on(async {
        let history = History::open(&PathBuf::from(variable("HISTORY")));
        let rounds: u32 = variable("ROUNDS").parse().expect("a number of rounds");
        let who = variable("WHO");
        match role.as_str() {
            "locked" => locked(&history, &who, rounds).await,
            "stuck" => stuck(&history, &who).await,
            "unlocked" => unlocked(&history, &who, rounds).await,
            other => panic!("no role {other:?}"),
        }
    });
    say("done");
}

async fn runtime() -> Runtime {
    let builder = Runtime::builder().turns(with_turns()).redis(variable("URL")).ttl(TTL).wait(LONG);
    builder.build().await.expect("a runtime")
}

async fn locked(history: &History, who: &str, rounds: u32) {
    let runtime = runtime().await;
    say("ready");
    for _ in 0..rounds {
        let guard = runtime.lock("shared").acquire().await.expect("a turn");
        let fence = guard.fence();
        let section = async {
            history.enter(who, fence);
            tokio::time::sleep(Duration::from_millis(2)).await;
            history.leave(who, fence);
        };
        guard.run(section).await.expect("held throughout");
        guard.release().await.expect("held throughout");
    }
    assert!(runtime.shutdown(TTL).await, "nothing is left to release");
}

/// Goes in and never comes out.
async fn stuck(history: &History, who: &str) {
    let runtime = runtime().await;
    let guard = runtime.lock("shared").acquire().await.expect("a turn");
    history.enter(who, guard.fence());
    say("inside");
    std::future::pending().await
}

async fn unlocked(history: &History, who: &str, rounds: u32) {
    for round in 0..rounds {
        history.enter(who, u64::from(round));
        tokio::time::sleep(Duration::from_millis(2)).await;
        history.leave(who, u64::from(round));
    }
}

fn start(role: &str, who: &str, url: &str, history: &History, rounds: u32) -> Worker {
    let path = history.path().to_str().expect("a path in UTF-8");
    let variables = [("URL", url), ("HISTORY", path), ("ROUNDS", &rounds.to_string()), ("WHO", who)];
    Worker::spawn("worker_entry", role, &variables)
}

fn finish<const COUNT: usize>(workers: [Worker; COUNT]) {
    for worker in workers {
        worker.expect("done", LONG);
        assert!(worker.finish(LONG).success());
    }
}

#[test]
fn processes_never_overlap() {
    let (server, history) = (RedisServer::start(), History::create());
    finish(["a", "b", "c", "d"].map(|who| start("locked", who, &server.url(), &history, 10)));
    assert_eq!(history.check(), Ok(40));
    assert!(!server.raw().exists("shared"), "nobody left a lock behind");
}

#[test]
fn a_killed_process_holds_the_others_up_for_one_lease_at_most() {
    let (server, history) = (RedisServer::start(), History::create());
    let mut victim = start("stuck", "victim", &server.url(), &history, 1);
    victim.expect("inside", LONG);
    let others = ["b", "c", "d"].map(|who| start("locked", who, &server.url(), &history, 5));
    for other in &others {
        other.expect("ready", LONG);
    }
    assert_eq!(history.crossings().len(), 1, "it renews, and nobody else is let in");
    victim.kill();
    // The lease, the longest pause between two tries, and time for a busy machine.
    let slack = Duration::from_millis(250) + Duration::from_secs(2);
    eventually("somebody goes on", TTL + slack, || history.crossings().len() > 1);
    finish(others);
    assert_eq!(history.check_without_leaves_of(&["victim"]), Ok(16));
}

#[test]
fn control_the_same_processes_without_a_lock_overlap() {
    let history = History::create();
    finish(["a", "b", "c", "d"].map(|who| start("unlocked", who, "", &history, 200)));
    assert!(history.overlaps() > 0);
    assert!(history.check().is_err());
}
