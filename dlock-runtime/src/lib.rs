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
//! - [`distributed_lock`] is the attribute; its page describes every option.
//! - [`Runtime`] takes locks, for the attribute or by hand ([`Runtime::lock`]), and tells who holds them.
//! - [`Guard`] is a held lock: [`Guard::run`] stops work whose lock is lost, [`Guard::fence`] is for the resource.
//! - [`LockError`] keeps "somebody else holds it", "it was lost" and "the store does not answer" apart.
//!
//! # Where requests run
//! A request runs on the caller's tokio runtime, if that has I/O and time enabled, as `#[tokio::main]` does. On other
//! executors, and on runtimes without these drivers, a background thread of the [`Runtime`] does the work.
//!
//! # Metrics
//! Metrics go through the `metrics` facade. They carry the label `lock`, which is the template of the key or what `label`
//! says, and never a key:
//!
//! | metric | counts |
//! |---|---|
//! | `dlock_attempts_total` | requests for a lock |
//! | `dlock_acquired_total`, `dlock_busy_total`, `dlock_failed_total` | requests by outcome |
//! | `dlock_wait_seconds` | time from the request to the lock |
//! | `dlock_hold_seconds` | time from the lock to its release or loss |
//! | `dlock_long_holds_total` | locks that were held for longer than [`Builder::warn_after`] |
//! | `dlock_turns_per_lease` | turns of tasks between taking a lock from the store and giving it back |
//! | `dlock_renewals_total`, `dlock_renewals_failed_total` | renewals that succeeded, and those that are tried again |
//! | `dlock_lost_total` | locks that were lost, with a label `reason` |
//! | `dlock_keeper_releases_total` | releases in the background, of dropped guards and requests |
//! | `dlock_releases_failed_total` | locks that could not be released, and stay until their TTL ends |
//! | `dlock_store_errors_total` | questions that the store did not answer properly; without the label `lock` |
//!
//! # Events and spans
//! Through `tracing`: the spans `dlock.acquire` and `dlock.hold`, an error for each lock that is lost, a warning for a lock that
//! is held for long ([`Builder::warn_after`]). Events and spans carry the template (`lock`) and the key without its namespace
//! (`key`); where keys are personal data, [`Builder::log_keys`] leaves the key out.
//!
//! An outage of the store is one warning when it begins, with the cause, and one when it ends, with how long it lasted and
//! how many requests, renewals and releases failed. It ends with the first answer. A store that fails again within 10 s is
//! reported again only if it fails for a second. Each single failure is an event of level `DEBUG`, and counted in the
//! metrics. What the store refuses for single locks is reported at most once a second.
//!
//! # Features
//! `tls` enables `rediss://` URLs, with rustls and the certificates of the operating system. Those of a company and
//! certificates of clients: [`Builder::redis_client`].

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
mod system;
mod types;

#[cfg(dlock_shuttle)]
pub use self::local::queue::orders;
#[cfg(dlock_simulation)]
pub use self::system::simulated;
#[doc = include_str!("distributed_lock.md")]
pub use dlock_macros::distributed_lock;
/// What of the redis crate it takes to make a client for [`Builder::redis_client`]. Not all of it: the compiler would spell out
/// `std::string::String` in its messages about annotated functions, as the crate has names like that.
pub mod redis {
    pub use ::redis::{
        Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisError,
    };
    #[cfg(feature = "tls")]
    pub use ::redis::{ClientTlsConfig, TlsCertificates};
}

pub use self::{
    api::{Builder, ClusterNode, Guard, LockRequest, Runtime},
    key::LockKey,
    types::{
        credentials::Credentials,
        error::{LockError, LostReason},
        holder::Holder,
        options::{MaxHold, OnLost, Renew, Wait},
        settling::{FailoverGuard, Settling},
    },
};
