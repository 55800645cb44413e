//! Who waits and goes away, in whatever way, is skipped and leaves no queue entry behind.

use std::time::Instant;

use dlock_runtime::{Builder, Guard, Runtime};
use dlock_testkit::{Proxy, RedisServer, Worker, eventually, eventually_async};

use crate::{
    MS, SLACK, SOON, build, build_some, got, hold, nothing_is_left, queue_entries, shared, until_they_listen,
    until_waiting, wait_for, waiting,
};

/// Puts a waiter in the queue before another one, has it go without a word, and shows that the other gets the lock at once.
/// Returns the guard of that one.
async fn the_next_one_gets_it<D>(
    key: &'static str,
    begin: impl AsyncFnOnce() -> D,
    depart: impl FnOnce(&mut D),
) -> (Guard, D) {
    let (mut raw, lock) = (RedisServer::shared().raw(), format!("turns:{key}"));
    let [holder, next] = build_some(shared()).await;
    let guard = hold(&holder, key).await;
    let mut victim = begin().await;
    until_waiting(&holder, key, 1).await;
    let patient = wait_for(&next, key);
    until_waiting(&holder, key, 2).await;
    until_they_listen(&mut raw, &lock);
    depart(&mut victim);
    assert_eq!(queue_entries(&mut raw, &lock), [2, 2], "the negative control: it departed without a word");
    let released = Instant::now();
    guard.release().await.expect("ours");
    let (guard, at) = got(patient).await;
    assert!(at.saturating_duration_since(released) < SLACK, "{:?}", at - released);
    assert_eq!(queue_entries(&mut raw, &lock), [0, 0], "the entry of who departed is gone");
    (guard, victim)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_whose_process_was_killed_is_skipped() {
    let url = RedisServer::shared().url();
    let begin = async || Worker::spawn("worker_entry", "waiter", &[("URL", &url), ("KEY", "killed")]);
    let (guard, _worker) = the_next_one_gets_it("killed", begin, Worker::kill).await;
    guard.release().await.expect("ours");
    nothing_is_left(&mut RedisServer::shared().raw(), "turns:killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_that_is_cut_off_is_skipped_and_can_come_back() {
    let proxy = Proxy::start(RedisServer::shared());
    let runtime = build(shared().redis(proxy.url())).await;
    let begin = async || wait_for(&runtime, "cut-off");
    let (guard, victim) = the_next_one_gets_it("cut-off", begin, |_| proxy.refuse()).await;
    proxy.heal();
    let eye = build(shared()).await;
    until_waiting(&eye, "cut-off", 1).await;
    assert!(!victim.is_finished());
    guard.release().await.expect("ours");
    got(victim).await.0.release().await.expect("it waited anew");
    nothing_is_left(&mut RedisServer::shared().raw(), "turns:cut-off");
}

on_each_store! {
    async fn an_acquire_that_is_cancelled_leaves_the_queue(builder: Builder) {
        a_seat_is_given_up(builder, |victim| async move {
            let task = wait_for(&victim, "k");
            eventually_async("it waits", SOON, async || waiting(&victim, "k").await == 1).await;
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        }).await;
    }

    async fn an_acquire_whose_time_is_over_leaves_the_queue(builder: Builder) {
        a_seat_is_given_up(builder, |victim| async move {
            let outcome = victim.lock("k").wait(100 * MS).acquire().await;
            assert!(outcome.is_err_and(|error| error.is_busy()));
        }).await;
    }

    async fn a_runtime_that_is_dropped_while_it_waits_leaves_the_queue(builder: Builder) {
        a_seat_is_given_up(builder, |victim| async move {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let tokio = tokio.expect("a tokio runtime");
            tokio.spawn(victim.lock("k").acquire());
            eventually_async("it waits", SOON, async || waiting(&victim, "k").await == 1).await;
            drop(victim);
            tokio.shutdown_background();
        }).await;
    }

    async fn a_runtime_that_is_shut_down_while_it_waits_leaves_the_queue(builder: Builder) {
        a_seat_is_given_up(builder, |victim| async move {
            let task = tokio::spawn(victim.lock("k").acquire());
            eventually_async("it waits", SOON, async || waiting(&victim, "k").await == 1).await;
            assert!(victim.shutdown(SOON).await);
            assert!(got(task).await.is_err());
        }).await;
    }

    async fn a_task_that_goes_leaves_its_place_in_the_queue_to_the_next_of_its_runtime(builder: Builder) {
        let [holder, runtime, rival] = build_some(builder).await;
        let guard = hold(&holder, "k").await;
        let first = wait_for(&runtime, "k");
        until_waiting(&holder, "k", 1).await;
        let second = wait_for(&runtime, "k");
        until_waiting(&runtime, "k", 2).await;
        let late = wait_for(&rival, "k");
        until_waiting(&holder, "k", 2).await;
        first.abort();
        until_waiting(&runtime, "k", 2).await;
        guard.release().await.expect("ours");
        let (guard, _) = got(second).await;
        assert!(!late.is_finished(), "the rival came later");
        guard.release().await.expect("ours");
        got(late).await.0.release().await.expect("ours");
    }
}

/// Has a runtime wait and go away by `depart`, and shows that nothing of it is left while the lock is still held, and
/// that the next one gets it at once.
async fn a_seat_is_given_up<F: Future<Output = ()>>(builder: Builder, depart: impl FnOnce(Runtime) -> F) {
    let [holder, victim, next] = build_some(builder).await;
    let guard = hold(&holder, "k").await;
    depart(victim).await;
    until_waiting(&holder, "k", 0).await;
    let patient = wait_for(&next, "k");
    until_waiting(&holder, "k", 1).await;
    let released = Instant::now();
    guard.release().await.expect("ours");
    let (guard, at) = got(patient).await;
    assert!(at - released < SLACK, "{:?}", at - released);
    guard.release().await.expect("ours");
    assert!(!next.is_locked("k").await.expect("asked"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_that_go_are_removed_from_both_sets_before_their_entries_are_stale() {
    let (mut raw, lock) = (RedisServer::shared().raw(), "turns:lists");
    let [holder, victim] = build_some(shared()).await;
    let guard = hold(&holder, "lists").await;
    // Somebody who stays: with the last entry Redis would remove the lists by itself after a while.
    let stays = build(shared()).await;
    let staying = wait_for(&stays, "lists");
    eventually("one waits", SOON, || queue_entries(&mut raw, lock) == [1, 1]);
    for _ in 0..10 {
        let task = wait_for(&victim, "lists");
        eventually("two wait", SOON, || queue_entries(&mut raw, lock) == [2, 2]);
        task.abort();
        eventually("its entry is removed", SLACK / 2, || queue_entries(&mut raw, lock) == [1, 1]);
    }
    guard.release().await.expect("ours");
    drop(got(staying).await);
    nothing_is_left(&mut raw, lock);
}
