//! Other attributes stay where they are; an attribute written lower wraps outside.

use dlock_runtime::{LockError, distributed_lock};

/// Runs once.
#[distributed_lock(key = "attributed", runtime = &runtime().await)]
#[must_use]
#[inline]
pub async fn attributed() -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(key = "outer", crate = ::dlock_runtime)]
#[distributed_lock(key = "inner")]
async fn twice() -> Result<(), LockError> {
    Ok(())
}

async fn runtime() -> dlock_runtime::Runtime {
    dlock_runtime::Runtime::builder().embedded().build().await.expect("a runtime")
}

#[distributed_lock(key = "main", runtime = &runtime().await)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), LockError> {
    attributed().await
}

#[test]
fn compiles_and_runs() {
    let _ = twice;
    main().expect("nobody else has the locks");
}
