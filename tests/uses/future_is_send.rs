//! The future is `Send`, with expressions that borrow in every option.

use std::sync::Mutex;
use std::time::Duration;

use dlock_runtime::{Runtime, distributed_lock};

struct State {
    tenant: Mutex<String>,
    ttl: Mutex<Duration>,
    locks: Mutex<Runtime>,
}

#[distributed_lock(
    key = format!("stock:{}", state.tenant.lock().expect("a tenant")),
    ttl = *state.ttl.lock().expect("a time"),
    runtime = &state.locks.lock().expect("a runtime"),
    when = state.tenant.lock().expect("a tenant").is_empty(),
    or_else = |err| Err(err.to_string()),
)]
async fn deduct(state: &State) -> Result<(), String> {
    std::future::ready(()).await;
    Ok(())
}

#[test]
fn compiles_and_runs() {
    fn send(_: impl Send) {}
    fn check(state: &State) {
        send(deduct(state));
    }
    let _ = check;
}
