//! The ways through a body and out of it: whichever is taken, the lock is held until then and released afterwards.

use crate::{Held, LockError, during, locked, locks};
use dlock_runtime::{Runtime, distributed_lock};
use std::ops::ControlFlow;

#[distributed_lock(key = "flow", runtime = locks)]
async fn returns_early(locks: &Runtime, early: bool) -> Held<&'static str> {
    let held = locked(locks, "flow").await;
    if early {
        return Ok((held, "early"));
    }
    Ok((held, "late"))
}

#[distributed_lock(key = "flow", runtime = locks)]
async fn returns_from_the_depth(locks: &Runtime, until: u8) -> Held<u8> {
    for outer in 0.. {
        match outer {
            _ if outer < until => continue,
            found => {
                if let Some(found) = Some(found) {
                    return Ok((locked(locks, "flow").await, found));
                }
            }
        }
    }
    unreachable!("it returns before")
}

#[distributed_lock(key = "flow", runtime = locks)]
async fn returns_inside_of_closures_and_blocks(locks: &Runtime) -> Held<(u8, u8, Option<u8>)> {
    // Each of these leaves its own closure or block, and not the body.
    let closure = |early: bool| {
        if early {
            return 1;
        }
        0
    };
    let block = async {
        if locked(locks, "flow").await {
            return 2;
        }
        0
    };
    let fallible = async {
        let none: Option<u8> = None;
        Some(none? + 1)
    };
    let (closed, blocked, missing) = (closure(true), block.await, fallible.await);
    Ok((locked(locks, "flow").await, (closed, blocked, missing)))
}

#[distributed_lock(key = "flow", runtime = locks)]
async fn breaks_with_labels(locks: &Runtime) -> Held<(u8, &'static str)> {
    let mut seen = 0;
    let found = 'rows: loop {
        for column in 0.. {
            seen += 1;
            if column == 1 {
                continue 'rows;
            }
            if seen > 4 {
                break 'rows seen;
            }
            tokio::task::yield_now().await;
        }
    };
    let block = 'block: {
        if found > 4 {
            break 'block "left";
        }
        "ended"
    };
    Ok((locked(locks, "flow").await, (found, block)))
}

#[tokio::test]
async fn every_way_out_of_a_body_is_under_the_lock() {
    let locks = locks("flow").await;
    assert_eq!(during(&locks, "flow", returns_early(&locks, true)).await, "early");
    assert_eq!(during(&locks, "flow", returns_early(&locks, false)).await, "late");
    assert_eq!(during(&locks, "flow", returns_from_the_depth(&locks, 3)).await, 3);
    assert_eq!(during(&locks, "flow", returns_inside_of_closures_and_blocks(&locks)).await, (1, 2, None));
    assert_eq!(during(&locks, "flow", breaks_with_labels(&locks)).await, (5, "left"));
}

#[derive(Debug)]
enum Trouble {
    Lock,
    Number,
    Own(bool),
}

impl From<LockError> for Trouble {
    fn from(_: LockError) -> Self {
        Self::Lock
    }
}

impl From<std::num::ParseIntError> for Trouble {
    fn from(_: std::num::ParseIntError) -> Self {
        Self::Number
    }
}

#[distributed_lock(key = "flow", runtime = locks)]
async fn asks(locks: &Runtime, number: &str) -> Result<u8, Trouble> {
    let number = number.parse()?;
    if number == 0 {
        Err(Trouble::Own(locked(locks, "flow").await))?;
    }
    Ok(number)
}

#[distributed_lock(key = "flow", runtime = locks, or_else = |_| None)]
async fn asks_an_option(locks: &Runtime, number: Option<u8>) -> Option<(bool, u8)> {
    let number = number?;
    Some((locked(locks, "flow").await, number))
}

#[distributed_lock(key = "flow", runtime = locks, or_else = |_| ControlFlow::Break(false))]
async fn asks_a_flow(locks: &Runtime, step: ControlFlow<bool>) -> ControlFlow<bool> {
    step?;
    ControlFlow::Break(locked(locks, "flow").await)
}

#[tokio::test]
async fn a_question_mark_leaves_the_body_and_releases() {
    let locks = locks("question").await;
    assert!(matches!(asks(&locks, "7").await, Ok(7)));
    assert!(matches!(asks(&locks, "seven").await, Err(Trouble::Number)));
    assert!(!locked(&locks, "flow").await);
    assert!(matches!(asks(&locks, "0").await, Err(Trouble::Own(true))));
    assert_eq!(asks_an_option(&locks, None).await, None);
    assert_eq!(asks_an_option(&locks, Some(1)).await, Some((true, 1)));
    assert_eq!(asks_a_flow(&locks, ControlFlow::Continue(())).await, ControlFlow::Break(true));
    assert!(!locked(&locks, "flow").await);
    // The negative control: without the lock the body does not run at all.
    let held = locks.lock("flow").acquire().await.expect("it is free");
    assert!(matches!(asks(&locks, "seven").await, Err(Trouble::Lock)));
    held.release().await.expect("it is held");
}

#[distributed_lock(key = "tree", runtime = locks)]
async fn recurses(locks: &Runtime, depth: u64) -> Held<u64> {
    let (held, below) = match depth {
        0 => (true, 0),
        _ => Box::pin(recurses(locks, depth - 1)).await?,
    };
    // The inner calls joined this hold and left it standing.
    Ok((held && locked(locks, "tree").await, below + depth))
}

#[distributed_lock(key = "tree:<depth>", runtime = locks)]
async fn recurses_with_a_lock_a_level(locks: &Runtime, depth: u64) -> Held<u64> {
    let (held, below) = match depth {
        0 => (true, 0),
        _ => Box::pin(recurses_with_a_lock_a_level(locks, depth - 1)).await?,
    };
    let free_below = depth == 0 || !locked(locks, &format!("tree:{}", depth - 1)).await;
    Ok((held && free_below && locked(locks, &format!("tree:{depth}")).await, below + depth))
}

#[tokio::test]
async fn recursion_joins_its_own_hold_or_takes_one_a_level() {
    let locks = locks("recursion").await;
    assert_eq!(during(&locks, "tree", recurses(&locks, 5)).await, 15);
    assert_eq!(during(&locks, "tree:5", recurses_with_a_lock_a_level(&locks, 5)).await, 15);
}

#[distributed_lock(key = "forever", runtime = locks, ttl = "100ms", renew = false, or_else = |error| std::panic::panic_any(error))]
async fn never_ends(locks: &Runtime) -> ! {
    loop {
        std::future::pending::<()>().await;
    }
}

#[distributed_lock(key = "forever", runtime = locks)]
async fn never_returns(locks: &Runtime) -> Result<std::convert::Infallible, LockError> {
    panic!("{}", locked(locks, "forever").await)
}

#[tokio::test]
async fn what_never_returns_ends_by_its_loss_or_its_panic() {
    let locks = locks("never").await;
    let task = tokio::spawn({
        let locks = locks.clone();
        async move { never_ends(&locks).await }
    });
    let panic = task.await.expect_err("it gives nothing else").into_panic();
    assert!(matches!(panic.downcast_ref(), Some(LockError::Lost { .. })));
    let task = tokio::spawn(async move { never_returns(&locks).await });
    let panic = task.await.expect_err("it panics").into_panic();
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("true"), "the lock was held");
}
