//! What the worker processes do.

use std::{future::pending, path::PathBuf};

use dlock_runtime::Runtime;
use dlock_testkit::{History, role, say};

use crate::{LONG, MS, SECOND, until_waiting};

pub(crate) fn work() {
    let Some(role) = role() else { return };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
    tokio.block_on(async {
        let builder = Runtime::builder().redis(variable("URL")).namespace("turns").ttl(LONG).wait(LONG);
        let runtime = builder.build().await.expect("a runtime");
        let key: &'static str = variable("KEY").leak();
        match role.as_str() {
            "short-turn" => short_turn(&runtime, key).await,
            "waiter" => wait(&runtime, key).await,
            "writer" => write(&runtime, key).await,
            other => panic!("no role {other:?}"),
        }
    });
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}

/// Takes a lock for long, and has a short turn on that lease, of which it never lets go.
async fn short_turn(runtime: &Runtime, key: &'static str) {
    let first = runtime.lock(key).ttl(10 * SECOND).acquire().await.expect("free");
    say("first");
    let second = tokio::spawn(runtime.lock(key).ttl(SECOND).acquire());
    until_waiting(runtime, key, 1).await;
    // Time for whoever reads about the first.
    tokio::time::sleep(100 * MS).await;
    first.release().await.expect("ours");
    let _second = second.await.expect("no panic").expect("a turn");
    say("second");
    pending().await
}

/// Waits for a lock, and gives it back once it has it.
async fn wait(runtime: &Runtime, key: &'static str) {
    say("ready");
    let guard = runtime.lock(key).acquire().await.expect("a turn");
    say(format!("got {}", guard.fence()));
    guard.release().await.expect("ours");
    say("gave it back");
    pending().await
}

/// Waits for a lock with a short lease, and writes to the history under it.
async fn write(runtime: &Runtime, key: &'static str) {
    let history = History::open(&PathBuf::from(variable("HISTORY")));
    say("ready");
    loop {
        let guard = runtime.lock(key).ttl(SECOND).acquire().await.expect("a turn");
        let fence = guard.fence();
        let section = async {
            history.enter("worker", fence);
            tokio::time::sleep(MS).await;
            history.leave("worker", fence);
        };
        // It may be lost between the two, but then its section has not begun.
        if guard.run(section).await.is_ok() {
            break;
        }
    }
    say("wrote");
    pending().await
}
