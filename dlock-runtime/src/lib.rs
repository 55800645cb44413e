//! One attribute makes an `async fn` hold a distributed lock while its body runs.
//!
//! ```
//! use dlock_runtime::{LockError, Runtime, distributed_lock};
//!
//! #[derive(Debug)]
//! enum StockError {
//!     SoldOut,
//!     Lock(LockError),
//! }
//!
//! impl From<LockError> for StockError {
//!     fn from(error: LockError) -> Self {
//!         Self::Lock(error)
//!     }
//! }
//!
//! # async fn read(_: u64) -> u32 { 7 }
//! # async fn write(_: u64, _: u32) {}
//! #[distributed_lock(key = "stock:<id>", ttl = 10)]
//! async fn deduct(id: u64, qty: u32) -> Result<u32, StockError> {
//!     let stock = read(id).await;
//!     if stock < qty {
//!         return Err(StockError::SoldOut);
//!     }
//!     write(id, stock - qty).await;
//!     Ok(stock - qty)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), LockError> {
//! // Locks within this process; for several replicas: `.redis("redis://127.0.0.1/")`.
//! Runtime::builder().embedded().namespace("shop").install().await?;
//! assert!(matches!(deduct(42, 3).await, Ok(4)));
//! # Ok(())
//! # }
//! ```
//!
//! - [`distributed_lock`] is the attribute; its page has every option.
//! - [`Runtime`] takes locks, by the attribute or by hand ([`Runtime::lock`]), and tells who holds them.
//! - [`Guard`] is a lock in hand: [`Guard::run`] stops work whose lock is lost, [`Guard::fence`] is for the resource.
//! - [`LockError`] tells "somebody else has it", "we lost it" and "the store cannot be asked" apart.
//!
//! # Where it runs
//! Requests run on the caller's tokio runtime, with I/O and time enabled as `#[tokio::main]` does. On other executors,
//! and on runtimes without these drivers, a thread of the [`Runtime`] does the work.
//!
//! # Metrics and spans
//! Through the `metrics` facade, with the label `lock` = template, or what `label` says: `dlock_attempts_total`, `dlock_acquired_total`,
//! `dlock_busy_total`, `dlock_failed_total`, `dlock_wait_seconds`, `dlock_hold_seconds`, `dlock_long_holds_total`,
//! `dlock_turns_per_lease`, `dlock_renewals_total`, `dlock_renewals_failed_total`, `dlock_lost_total` (also by `reason`),
//! `dlock_keeper_releases_total`, `dlock_releases_failed_total`; and without a label `dlock_store_errors_total`. Through
//! `tracing`: the spans `dlock.acquire` and `dlock.hold`, an error when a lock is lost, a warning when one is held for long
//! ([`Builder::warn_after`]).
//!
//! An outage of the store is one warning when it begins, with the cause, and one when it ends, with how long it lasted and how
//! many requests, renewals and releases failed. It is over with the first answer; a store that fails again within 10 s is
//! told of again only if it does so for a second. Each failure by itself is an event of the level `DEBUG`, and in the
//! metrics. What the store refuses to do for single locks is told at most once a second.
//!
//! Events and spans carry the template (`lock`) and the key without its namespace (`key`); for keys that are personal data,
//! [`Builder::log_keys`] leaves it out. Metrics never carry keys.
//!
//! # Features
//! `tls` for `rediss://` URLs, with rustls and the certificates of the operating system.

/// What generated code calls.
#[doc(hidden)]
#[path = "macro_support/mod.rs"]
pub mod __rt;
mod acquire;
mod api;
mod keeper;
mod key;
mod limits;
mod local;
mod observe;
mod protocol;
mod store;
mod sync;
mod types;

#[doc = include_str!("distributed_lock.md")]
pub use dlock_macros::distributed_lock;

pub use self::{
    api::{Builder, Guard, LockRequest, Runtime},
    key::LockKey,
    types::{
        error::{LockError, LostReason},
        holder::Holder,
        options::{MaxHold, OnLost, Renew, Wait},
    },
};
