//! With `or_else` anything may be returned, also nothing.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "tick", or_else = |_| ())]
async fn tick() {
    std::future::ready(()).await;
}

fn main() {
    let _ = tick;
}
