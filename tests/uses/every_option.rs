//! Every option at once.

use std::time::Duration;

use dlock_runtime::{Guard, Runtime, distributed_lock};

struct State {
    locks: Runtime,
}

const TTL: Duration = Duration::from_secs(5);

#[distributed_lock(
    key = "{shop}:stock:<id>/<pair.1>",
    ttl = TTL,
    wait = "forever",
    renew = "500ms",
    max_hold = "unbounded",
    on_lost = finish,
    or_else = |err| Err(err.to_string()),
    guard = lock,
    label = "stock of a shop",
    reentrant = false,
    runtime = &state.locks,
    crate = ::dlock_runtime,
)]
async fn deduct(state: &State, id: u64, pair: (u8, &str)) -> Result<u64, String> {
    let lock: &Guard = lock;
    Ok(lock.fence() + id + pair.1.len() as u64)
}

#[test]
fn compiles_and_runs() {
    fn named(_: &State) {}
    let _ = (named, deduct);
}
