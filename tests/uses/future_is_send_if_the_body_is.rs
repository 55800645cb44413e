//! Where the parameters are `Send`, the future is: generic, boxed, by `&self` and by pattern.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use dlock_runtime::{LockError, distributed_lock};

struct Pair<A, B>(A, B);

#[distributed_lock(key = "generic:<id>")]
async fn generic<T: Send, U: Sync>(id: u64, value: T, shared: &U) -> Result<(T, u64), LockError> {
    std::future::ready(shared).await;
    Ok((value, id))
}

#[distributed_lock(key = "pattern:<id>", or_else = |_| None)]
async fn pattern<T: Send>(Pair(id, value): Pair<u64, T>, _: T, _unused: T) -> Option<T> {
    std::future::ready(id).await;
    Some(value)
}

#[distributed_lock(key = "guard", guard = lock)]
async fn guarded<T: Send>(value: T) -> Result<T, LockError> {
    lock.renew().await?;
    Ok(value)
}

#[distributed_lock(key = "cell:<id>")]
async fn holds_a_cell(id: u64) -> Result<u64, LockError> {
    let cell = std::cell::Cell::new(id);
    std::future::ready(()).await;
    Ok(cell.get())
}

#[distributed_lock(key = "gone")]
async fn not_across_an_await() -> Result<(), LockError> {
    {
        let shared = std::rc::Rc::new(1);
        drop(shared);
    }
    std::future::ready(()).await;
    Ok(())
}

fn send<T: Send>(value: T) -> T {
    value
}

fn check<T: Send, U: Sync>(first: T, second: [T; 3], third: T, shared: &U) {
    let [left, middle, right] = second;
    let _ = send(generic(1, first, shared));
    let _ = send(pattern(Pair(1, left), middle, right));
    let _ = send(guarded(third));
    let _ = send(holds_a_cell(1));
    let _ = send(not_across_an_await());
}

#[test]
fn compiles_and_runs() {
    check(1, [1; 3], 1, &1);
}
