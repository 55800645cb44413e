//! A guard that is dropped wherever Rust can drop one.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::{AT_ONCE, LONG, free_at_once, held, redis, tokio};

// ---- a guard that is dropped, in ten contexts ----

#[tokio::test]
async fn a_guard_dropped_normally_is_released_at_once() {
    let (_runtime, guard) = held("normal").await;
    drop(guard);
    free_at_once("normal");
}

#[tokio::test]
async fn a_guard_dropped_by_a_panic_is_released_at_once() {
    let (_runtime, guard) = held("panic").await;
    let panicking = AssertUnwindSafe(|| {
        let _guard = guard;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(std::panic::catch_unwind(panicking).is_err());
    free_at_once("panic");
}

#[tokio::test]
async fn a_guard_dropped_by_a_panicking_task_is_released_at_once() {
    let (_runtime, guard) = held("panic:task").await;
    let task = tokio::spawn(async move {
        guard.run(async { std::panic::resume_unwind(Box::new("on purpose")) }).await.map(|(): ()| ())
    });
    assert!(task.await.is_err_and(|err| err.is_panic()));
    free_at_once("panic:task");
}

#[tokio::test]
async fn a_guard_dropped_by_the_abort_of_its_task_is_released_at_once() {
    let (_runtime, guard) = held("abort").await;
    let (inside, entered) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let _guard = guard;
        inside.send(()).expect("the test listens");
        std::future::pending::<()>().await;
    });
    entered.await.expect("the task is inside");
    task.abort();
    assert!(task.await.is_err_and(|err| err.is_cancelled()));
    free_at_once("abort");
}

#[tokio::test]
async fn a_guard_dropped_by_select_is_released_at_once() {
    let (_runtime, guard) = held("select").await;
    tokio::select! {
        biased;
        _ = guard.run(std::future::pending::<()>()) => unreachable!("it never ends by itself"),
        () = tokio::task::yield_now() => {}
    }
    drop(guard);
    free_at_once("select");
}

#[tokio::test]
async fn a_guard_dropped_by_a_timeout_is_released_at_once() {
    let (_runtime, guard) = held("timeout").await;
    let body = async move { guard.run(std::future::pending::<()>()).await };
    assert!(tokio::time::timeout(Duration::from_millis(50), body).await.is_err());
    free_at_once("timeout");
}

#[test]
fn a_guard_dropped_by_the_shutdown_of_tokio_is_released_at_once() {
    let tokio = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a tokio runtime");
    let (inside, entered) = mpsc::channel();
    tokio.spawn(async move {
        let (_runtime, _guard) = held("tokio-shutdown").await;
        inside.send(()).expect("the test listens");
        std::future::pending::<()>().await;
    });
    entered.recv().expect("the task is inside");
    tokio.shutdown_timeout(AT_ONCE);
    free_at_once("tokio-shutdown");
}

#[test]
fn a_guard_dropped_at_the_end_of_block_on_is_released_at_once() {
    let (_runtime, guard) = tokio().block_on(held("block-on"));
    // That tokio runtime is gone already; the guard goes where there is none.
    drop(guard);
    free_at_once("block-on");
}

#[tokio::test]
async fn a_guard_dropped_on_a_plain_thread_is_released_at_once() {
    let (_runtime, guard) = held("thread").await;
    std::thread::spawn(move || drop(guard)).join().expect("the thread ends");
    free_at_once("thread");
}

#[tokio::test]
async fn a_guard_dropped_inside_another_tokio_runtime_is_released_at_once() {
    let (_runtime, guard) = held("other-tokio").await;
    std::thread::spawn(move || tokio().block_on(async move { drop(guard) })).join().expect("the thread ends");
    free_at_once("other-tokio");
}

#[tokio::test]
async fn a_guard_dropped_after_the_shutdown_of_the_runtime_is_released_at_once() {
    let (runtime, guard) = held("shut-down").await;
    runtime.shutdown(AT_ONCE).await;
    drop(guard);
    free_at_once("shut-down");
}

#[tokio::test]
async fn a_guard_that_outlives_every_handle_of_its_runtime_is_released_at_once() {
    let (runtime, guard) = held("handles").await;
    drop(runtime);
    assert!(guard.is_held());
    drop(guard);
    free_at_once("handles");
}

#[tokio::test]
async fn control_a_guard_that_is_forgotten_stays_locked() {
    let (_runtime, guard) = held("forgotten").await;
    std::mem::forget(guard);
    tokio::time::sleep(AT_ONCE + AT_ONCE / 2).await;
    assert!(redis().exists("cancel:forgotten"));
}

#[tokio::test]
async fn shutdown_waits_until_what_was_dropped_is_released() {
    let (runtime, guard) = held("drain").await;
    drop(guard);
    assert!(runtime.shutdown(LONG).await);
    assert!(!redis().exists("cancel:drain"), "not a moment later");
}
