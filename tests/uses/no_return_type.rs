//! With `or_else` anything may be returned, also nothing.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "tick", or_else = |_| ())]
async fn tick() {
    std::future::ready(()).await;
}

#[test]
fn compiles_and_runs() {
    let _ = tick;
}
