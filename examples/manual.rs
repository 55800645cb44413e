//! The same locks by hand, for code that no function boundary fits.
//!
//! `cargo run --example manual`, with `REDIS_URL` set to see the key in `redis-cli` while it is held.

use dlock_runtime::{LockError, Runtime};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let builder = match std::env::var("REDIS_URL") {
        Ok(url) => Runtime::builder().redis(url),
        Err(_) => Runtime::builder().embedded(),
    };
    let runtime = builder.namespace("process_lock_").build().await?;

    let guard = runtime.lock("report").ttl(Duration::from_secs(5)).wait(Duration::from_secs(1)).acquire().await?;
    println!("held with fence {}, {:.1?} to go", guard.fence(), guard.remaining());

    // Another task, or another machine: once, without waiting.
    let other = runtime.clone();
    let second = tokio::spawn(async move { other.lock("report").try_acquire().await.map(|got| got.is_some()) });
    println!("a second one got it: {}", second.await.expect("it does not panic")?);
    if let Some(holder) = runtime.inspect("report").await? {
        println!("because {} has it", holder.owner());
    }

    // Renewed while the future runs, and the future is dropped if the lock is lost.
    let answer = guard.run(async { 6 * 7 }).await?;
    guard.ensure_held()?;
    println!("worked out {answer} under the lock");

    guard.release().await?;
    println!("released; still locked: {}", runtime.is_locked("report").await?);

    // A guard that is only dropped is released in the background.
    drop(runtime.lock("report").acquire().await?);
    println!("free again: {}", runtime.wait_until_free("report", Duration::from_secs(1)).await?);
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
