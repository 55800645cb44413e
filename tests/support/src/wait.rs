//! Waiting for a condition. A test that sleeps instead either wastes time or fails on a busy machine.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(2);

/// Polls `condition` until it is true and gives the time that took; panics, naming `what`, when `within` has passed.
#[track_caller]
pub fn eventually(what: &str, within: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(STEP);
    }
    start.elapsed()
}

/// The same for a condition that has to be awaited. Needs a tokio runtime with its timer on.
pub async fn eventually_async(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(STEP).await;
    }
    start.elapsed()
}
