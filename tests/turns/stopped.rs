//! Processes that are stopped in their tracks while they wait, or right after a lock was handed to them.

use dlock_testkit::{History, RedisServer, Worker, eventually};

use crate::{
    MS, SECOND, SLACK, SOON, build_some, got, hold, nothing_is_left, queue_entries, shared, until_they_listen,
    until_waiting, wait_for,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_waiter_is_skipped_once_it_has_not_asked_for_a_second() {
    let server = RedisServer::shared();
    let (mut raw, lock) = (server.raw(), "turns:stopped");
    let [holder, next] = build_some(shared()).await;
    let guard = hold(&holder, "stopped").await;
    let worker = Worker::spawn("worker_entry", "waiter", &[("URL", &server.url()), ("KEY", "stopped")]);
    worker.expect("ready", SOON);
    until_waiting(&holder, "stopped", 1).await;
    let patient = wait_for(&next, "stopped");
    until_waiting(&holder, "stopped", 2).await;
    until_they_listen(&mut raw, lock);
    stop(&worker);
    // Its connection stays open: the server cannot tell but by its silence.
    until_waiting(&holder, "stopped", 1).await;
    assert_eq!(queue_entries(&mut raw, lock), [2, 2], "the negative control: its entry is still there");
    let released = std::time::Instant::now();
    guard.release().await.expect("ours");
    let (guard, at) = got(patient).await;
    assert!(at - released < SLACK, "{:?}", at - released);
    assert_eq!(queue_entries(&mut raw, lock), [0, 0]);
    worker.cont();
    // It stands at the end of the queue now, and is served in its turn.
    until_waiting(&next, "stopped", 1).await;
    assert!(worker.said().is_empty(), "it was not skipped");
    let fence = guard.fence();
    guard.release().await.expect("ours");
    assert!(worker.expect("got", SOON).parse::<u64>().expect("a fence") > fence);
    worker.expect("gave it back", SOON);
    nothing_is_left(&mut raw, lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_that_was_stopped_when_it_was_handed_the_lock_does_not_believe_so_after_its_ttl() {
    let server = RedisServer::shared();
    let (mut raw, lock, history) = (server.raw(), "turns:handed", History::create());
    let path = history.path().to_str().expect("a path in UTF-8");
    let [holder, next] = build_some(shared()).await;
    let guard = hold(&holder, "handed").await;
    let variables = [("URL", &*server.url()), ("KEY", "handed"), ("HISTORY", path)];
    let worker = Worker::spawn("worker_entry", "writer", &variables);
    worker.expect("ready", SOON);
    until_waiting(&holder, "handed", 1).await;
    until_they_listen(&mut raw, lock);
    let ours = raw.token(lock);
    stop(&worker);
    guard.release().await.expect("ours");
    let waiting = wait_for(&next, "handed");
    let mut handed = || raw.token(lock).is_some_and(|token| Some(token) != ours);
    // At once, or by the question of the next one, if the lock went free for a moment as it does once a second.
    eventually("it is handed to a process that is stopped", SLACK, &mut handed);
    assert!(!waiting.is_finished(), "the negative control: to none but that");
    let (guard, _) = got(waiting).await;
    history.enter("next", guard.fence());
    worker.cont();
    // The message of the hand-over is the first thing that it reads. It asks again all the same.
    until_waiting(&next, "handed", 1).await;
    tokio::time::sleep(300 * MS).await;
    history.leave("next", guard.fence());
    guard.release().await.expect("ours");
    worker.expect("wrote", SOON + SECOND);
    assert_eq!(history.check(), Ok(2));
    drop(worker);
}

/// Stops a process and waits until it has stopped: the signal may be a moment on its way.
fn stop(worker: &Worker) {
    worker.stop();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", worker.id())) else { return };
    let threads: Vec<_> = threads.flatten().map(|thread| thread.path().join("stat")).collect();
    eventually("all of its threads have stopped", SOON, || {
        threads.iter().all(|stat| {
            let stat = std::fs::read_to_string(stat).unwrap_or_default();
            stat.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.trim_start().starts_with('T'))
        })
    });
}
