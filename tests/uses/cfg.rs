//! Functions, attributes, parameters and statements that are configured away.

use dlock_runtime::{LockError, distributed_lock};

#[cfg(any())]
#[distributed_lock(nonsense)]
async fn above() {}

#[distributed_lock(nonsense)]
#[cfg(any())]
async fn below() {}

#[cfg_attr(any(), distributed_lock(nonsense))]
async fn without() {}

#[cfg_attr(all(), distributed_lock(key = "stock:<id>"))]
async fn with(id: u8, #[cfg(all())] qty: u8, #[cfg(any())] qty: Missing) -> Result<u8, LockError> {
    #[cfg(any())]
    compile_error!("nobody sees this");
    Ok(id + qty)
}

#[test]
fn compiles_and_runs() {
    let _ = (above, with, without);
    async fn above() {}
}
