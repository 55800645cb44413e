//! Read, check, write: the function that the lock is for, with it and without it.

use crate::shop::{Line, Shop};
use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::fmt;
use std::time::{Duration, Instant};

/// How soon the other replicas may go on after one was killed.
pub const TTL: Duration = Duration::from_secs(2);

/// What became of one item.
pub struct Deducted {
    pub sold: bool,
    /// When the body began, that is, when the lock was ours.
    pub since: Instant,
}

/// Takes `qty` units of a product off the shelf, one caller at a time in all replicas.
#[distributed_lock(key = "stock:<product>", ttl = TTL, wait = 10, guard = lock, runtime = runtime)]
pub async fn deduct(
    runtime: &Runtime,
    shop: &Shop,
    product: &str,
    qty: u32,
    line: Line,
) -> Result<Deducted, DeductError> {
    let since = Instant::now();
    // Claimed before the first read: what an earlier holder has not written by now, it can no longer write.
    if !shop.claim(product, lock.fence())? {
        return Err(DeductError::Stale);
    }
    let found = shop.look(product, line)?;
    if found.sold_before || found.left < qty {
        return Ok(Deducted { sold: found.sold_before, since });
    }
    charge_the_customer().await;
    if !shop.sell(product, line, qty, found.left - qty, Some(lock.fence()))? {
        return Err(DeductError::Stale);
    }
    Ok(Deducted { sold: true, since })
}

/// The same without the lock: two callers read the same stock, both find enough, both subtract.
pub async fn deduct_without_lock(shop: &Shop, product: &str, qty: u32, line: Line) -> Result<Deducted, DeductError> {
    let since = Instant::now();
    let found = shop.look(product, line)?;
    if found.sold_before || found.left < qty {
        return Ok(Deducted { sold: found.sold_before, since });
    }
    charge_the_customer().await;
    shop.sell(product, line, qty, found.left - qty, None)?;
    Ok(Deducted { sold: true, since })
}

/// Whatever a service awaits between reading and writing; other tasks run meanwhile.
async fn charge_the_customer() {
    tokio::task::yield_now().await;
}

/// Why an item could not be deducted this time.
#[derive(Debug)]
pub enum DeductError {
    /// The lock was not had, or not kept.
    Lock(LockError),
    /// A later holder has claimed the product; nothing was written.
    Stale,
    Database(rusqlite::Error),
}

impl DeductError {
    /// Whether it makes sense to try again. It is always safe: the ledger knows what was sold.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Lock(e) => e.is_busy() || e.is_lost() || e.is_unavailable(),
            Self::Stale => true,
            Self::Database(e) => e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy),
        }
    }
}

impl fmt::Display for DeductError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(e) => e.fmt(f),
            Self::Stale => f.write_str("a later holder has claimed the product"),
            Self::Database(_) => f.write_str("the database"),
        }
    }
}

impl std::error::Error for DeductError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its text is the one above.
            Self::Lock(e) => std::error::Error::source(e),
            Self::Stale => None,
            Self::Database(e) => Some(e),
        }
    }
}

impl From<LockError> for DeductError {
    fn from(e: LockError) -> Self {
        Self::Lock(e)
    }
}

impl From<rusqlite::Error> for DeductError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Database(e)
    }
}
