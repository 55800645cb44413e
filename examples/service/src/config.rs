//! The settings, from the environment.

use std::env::{self, VarError};
use std::time::Duration;

/// What an operator sets.
pub(crate) struct Config {
    /// `REDIS_URL`: where the locks are.
    pub(crate) redis_url: String,
    /// `DATABASE`: the SQLite file; `service.db` if not set.
    pub(crate) database: String,
    /// `LISTEN`: address and port; 127.0.0.1:3000 if not set.
    pub(crate) listen: String,
    /// `STOCK`: products that a new database starts with, as `id:quantity,...`.
    pub(crate) stock: Vec<(i64, i64)>,
    /// `LOCK_TTL`: how many seconds a lock outlives a crash.
    pub(crate) lock_ttl: Duration,
    /// `LOCK_WAIT`: how many seconds a request waits before it is told that the product is busy.
    pub(crate) lock_wait: Duration,
}

impl Config {
    /// # Errors
    /// A sentence that names the variable.
    pub(crate) fn from_env() -> Result<Self, String> {
        Ok(Self {
            redis_url: var("REDIS_URL", "redis://127.0.0.1/")?,
            database: var("DATABASE", "service.db")?,
            listen: var("LISTEN", "127.0.0.1:3000")?,
            stock: stock(&var("STOCK", "1:100,2:10")?)?,
            lock_ttl: seconds("LOCK_TTL", "10")?,
            lock_wait: seconds("LOCK_WAIT", "2")?,
        })
    }
}

fn var(name: &str, default: &str) -> Result<String, String> {
    match env::var(name) {
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
        Ok(value) => Ok(value),
    }
}

fn seconds(name: &str, default: &str) -> Result<Duration, String> {
    let value = var(name, default)?;
    let seconds = value.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.ok_or(format!("{name} is to be a number of seconds, not {value:?}"))
}

fn stock(list: &str) -> Result<Vec<(i64, i64)>, String> {
    let product = |entry: &str| {
        let (id, qty) = entry.split_once(':')?;
        Some((id.parse().ok()?, qty.parse().ok()?))
    };
    list.split(',')
        .map(|entry| product(entry).ok_or(format!("STOCK is to be a list such as 1:100,2:10, not {list:?}")))
        .collect()
}
