//! Any expression may be an option: blocks, matches, macros, closures, `.await`, `?`-free calls and constants.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::time::Duration;

use dlock_runtime::{LockError, LockKey, Runtime, distributed_lock};

const KEY: &str = "constant";
static TTL: Duration = Duration::from_secs(3);

async fn name() -> String {
    "name".to_owned()
}

async fn runtime() -> Runtime {
    Runtime::builder().embedded().build().await.expect("a runtime")
}

#[distributed_lock(key = KEY, ttl = TTL, wait = TTL / 2, max_hold = TTL * 2, renew = TTL / 3)]
async fn constants() -> Result<(), LockError> {
    Ok(())
}

#[distributed_lock(
    key = match id { 0 => "zero".to_owned(), id if id > 9 => format!("many:{id}"), _ => name().await },
    ttl = { let seconds = 3; Duration::from_secs(seconds) },
    when = matches!(id, 0..=9) && [1, 2].iter().any(|value| *value < 3),
    runtime = &runtime().await,
)]
async fn blocks(id: u8) -> Result<u8, LockError> {
    Ok(id)
}

#[distributed_lock(key = LockKey::from_template("order:<id>", &[&order.0]), ttl = TTL)]
async fn lock_key(order: (u8,)) -> Result<u8, LockError> {
    Ok(order.0)
}

#[distributed_lock(key = if upper { name.to_uppercase() } else { name.clone() })]
async fn borrows(upper: bool, name: String) -> Result<String, LockError> {
    Ok(name)
}
