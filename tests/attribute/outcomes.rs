//! What a call returns: `or_else`, and which of two errors wins.

use crate::{locks, pause};
use dlock_runtime::{LockError, Runtime, distributed_lock};

#[derive(Debug, PartialEq)]
enum Reply {
    Done(u8),
    Busy(String),
    Lost,
    Own,
    Panicked,
}

impl From<LockError> for Reply {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Busy { key, .. } => Self::Busy(key.to_string()),
            LockError::Lost { .. } => Self::Lost,
            _ => Self::Panicked,
        }
    }
}

#[distributed_lock(key = "a:<id>", runtime = locks, or_else = |error| if error.is_busy() { Reply::from(error) } else { Reply::Panicked })]
async fn closure(locks: &Runtime, id: u8) -> Reply {
    Reply::Done(id)
}

#[distributed_lock(key = "a:<id>", runtime = locks, or_else = Reply::from)]
async fn path(locks: &Runtime, id: u8) -> Reply {
    Reply::Done(id)
}

#[distributed_lock(key = "a:<id>", runtime = locks, or_else = |error| format!("{id}: {}", error.is_busy()))]
async fn closure_over_a_parameter(locks: &Runtime, id: u8) -> String {
    format!("{id} done")
}

#[distributed_lock(
    key = "a:<id>",
    runtime = locks,
    or_else = {
        let name = name.clone();
        move |_| name
    }
)]
async fn closure_that_owns(locks: &Runtime, id: u8, name: String) -> String {
    name + "!"
}

#[distributed_lock(key = "a:<id>", runtime = locks, or_else = |_| ())]
async fn nothing(locks: &Runtime, id: u8) {
    panic!("the body of {id} ran");
}

#[distributed_lock(key = "a:<id>", runtime = locks, or_else = |_| Err("busy".to_owned()))]
async fn foreign_error(locks: &Runtime, id: u8) -> Result<u8, String> {
    Ok(id)
}

#[tokio::test]
async fn or_else_turns_the_error_into_whatever_the_function_returns() -> Result<(), LockError> {
    let locks = locks("or_else").await;
    assert_eq!(closure(&locks, 1).await, Reply::Done(1));
    assert_eq!(closure_that_owns(&locks, 1, "x".into()).await, "x!");
    let held = locks.lock("a:1").acquire().await?;
    assert_eq!(closure(&locks, 1).await, Reply::Busy("a:1".into()));
    assert_eq!(path(&locks, 1).await, Reply::Busy("a:1".into()));
    assert_eq!(closure_over_a_parameter(&locks, 1).await, "1: true");
    assert_eq!(closure_that_owns(&locks, 1, "x".into()).await, "x");
    nothing(&locks, 1).await;
    assert_eq!(foreign_error(&locks, 1).await, Err("busy".into()));
    assert_eq!(foreign_error(&locks, 2).await, Ok(2));
    held.release().await
}

#[distributed_lock(key = "lost", runtime = locks, ttl = "500ms", renew = false, or_else = Reply::from)]
async fn lost(locks: &Runtime) -> Reply {
    pause(5_000).await;
    Reply::Done(1)
}

#[tokio::test]
async fn or_else_is_also_for_a_loss() {
    assert_eq!(lost(&locks("or_else-lost").await).await, Reply::Lost);
}

/// Loses the lock without an await, so that the body is polled to its end all the same.
fn outlive_the_ttl() {
    std::thread::sleep(std::time::Duration::from_millis(700));
}

#[distributed_lock(key = "a", runtime = locks, ttl = "500ms", renew = false)]
async fn fails_after_the_loss(locks: &Runtime) -> Result<(), Reply> {
    outlive_the_ttl();
    Err(Reply::Own)
}

#[distributed_lock(key = "a", runtime = locks, ttl = "500ms", renew = false)]
async fn succeeds_after_the_loss(locks: &Runtime) -> Result<(), Reply> {
    outlive_the_ttl();
    Ok(())
}

#[distributed_lock(key = "a", runtime = locks, ttl = "500ms", renew = false, or_else = |error| Err(Reply::from(error)))]
async fn fails_after_the_loss_with_or_else(locks: &Runtime) -> Result<(), Reply> {
    outlive_the_ttl();
    Err(Reply::Own)
}

type Outcome<T> = Result<T, Reply>;

#[distributed_lock(key = "a", runtime = locks, ttl = "500ms", renew = false)]
async fn fails_after_the_loss_under_an_alias(locks: &Runtime) -> Outcome<()> {
    outlive_the_ttl();
    Err(Reply::Own)
}

#[distributed_lock(key = "a", runtime = locks)]
async fn fails(locks: &Runtime) -> Result<(), Reply> {
    Err(Reply::Own)?;
    Ok(())
}

#[tokio::test]
async fn the_own_error_of_the_body_wins() {
    let locks = locks("own-error").await;
    assert_eq!(fails(&locks).await, Err(Reply::Own));
    assert_eq!(fails_after_the_loss(&locks).await, Err(Reply::Own));
    assert_eq!(fails_after_the_loss_with_or_else(&locks).await, Err(Reply::Own));
    assert_eq!(fails_after_the_loss_under_an_alias(&locks).await, Err(Reply::Own));
    // The negative control: these did lose the lock.
    assert_eq!(succeeds_after_the_loss(&locks).await, Err(Reply::Lost));
}
