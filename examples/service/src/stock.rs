//! The stock in SQLite. Reading and writing are statements of their own: it is the lock that makes them one.

use serde::Serialize;
use sqlx::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool};
use std::time::Duration;

/// One product, as clients see it.
#[derive(Debug, Serialize)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) qty: i64,
}

/// A pool of connections; cheap to clone.
#[derive(Clone)]
pub(crate) struct Stock(SqlitePool);

impl Stock {
    /// Opens the file. A new one gets these products; in one that another instance made they stay as they are.
    pub(crate) async fn open(path: &str, products: &[(i64, i64)]) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePool::connect_with(options).await?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS stock (id INTEGER PRIMARY KEY, qty INTEGER NOT NULL, fence INTEGER NOT NULL)",
        )
        .execute(&pool)
        .await?;
        for (id, qty) in products {
            sqlx::query("INSERT OR IGNORE INTO stock VALUES (?, ?, 0)").bind(id).bind(qty).execute(&pool).await?;
        }
        Ok(Self(pool))
    }

    /// The quantity of a product; `None` if there is no such product.
    pub(crate) async fn read(&self, id: i64) -> Result<Option<i64>> {
        sqlx::query_scalar("SELECT qty FROM stock WHERE id = ?").bind(id).fetch_optional(&self.0).await
    }

    /// From now on, holders with a smaller fence can no longer write. False if a later one was here before us (or if
    /// there is no such product).
    pub(crate) async fn claim(&self, id: i64, fence: i64) -> Result<bool> {
        let claimed = sqlx::query("UPDATE stock SET fence = $2 WHERE id = $1 AND fence <= $2")
            .bind(id)
            .bind(fence)
            .execute(&self.0)
            .await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// Writes the quantity, unless a later holder has claimed the product; false if one has.
    pub(crate) async fn write(&self, id: i64, qty: i64, fence: i64) -> Result<bool> {
        let written = sqlx::query("UPDATE stock SET qty = $3, fence = $2 WHERE id = $1 AND fence <= $2")
            .bind(id)
            .bind(fence)
            .bind(qty)
            .execute(&self.0)
            .await?;
        Ok(written.rows_affected() == 1)
    }
}
