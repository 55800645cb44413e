//! The database that the replicas share: stock, orders, and a ledger of what was sold.
//!
//! Every statement here stands alone, as in any service. The one transaction is a sale: the stock and the ledger change
//! together or not at all, so a replica killed at any moment leaves no half-sold item.
//!
//! The calls block for some ten microseconds each, less than handing them to another thread would cost.

use crate::orders::{Item, Order};
use crate::plan::Shelf;
use rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One connection. A task has its own, so the mutex is never waited for; it makes `&Shop` shareable across an await.
pub struct Shop(Mutex<Connection>);

/// Names one item of one order.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub order: i64,
    pub line: i64,
}

/// What a look at the stock finds.
pub struct Found {
    pub left: u32,
    /// The ledger has this item already: whoever sold it did not live to say so.
    pub sold_before: bool,
}

/// An order that is still to be done.
pub struct OpenOrder {
    pub id: i64,
    pub items: Vec<(Line, Item)>,
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE stock (
        product TEXT PRIMARY KEY, qty INTEGER NOT NULL, fence INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, replica INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
        sold INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE items (
        order_id INTEGER, line INTEGER, product TEXT NOT NULL, qty INTEGER NOT NULL, PRIMARY KEY (order_id, line)
    ) WITHOUT ROWID;
    CREATE TABLE ledger (
        order_id INTEGER, line INTEGER, product TEXT NOT NULL, qty INTEGER NOT NULL, PRIMARY KEY (order_id, line)
    ) WITHOUT ROWID;
";

impl Shop {
    /// Opens the database of a run.
    pub fn open(path: &Path) -> Result<Self> {
        let db = Connection::open(path)?;
        // A sale waits for the other replicas' sales; SQLITE_BUSY after this long is an error like any other, and is
        // reported as one: it never counts as a sale, and so never as a lost update.
        db.busy_timeout(Duration::from_secs(20))?;
        // Survives a killed process, and the file does not outlive the run: no need to wait for the disk.
        db.pragma_update(None, "synchronous", "OFF")?;
        Ok(Self(Mutex::new(db)))
    }

    /// Makes the database: the shelves are full, the orders dealt out to the replicas like cards.
    pub fn create(path: &Path, stock: &[Shelf], orders: &[Order], replicas: usize) -> Result<Self> {
        let shop = Self::open(path)?;
        {
            let mut db = shop.db();
            db.execute_batch(SCHEMA)?;
            let tx = db.transaction()?;
            for shelf in stock {
                tx.prepare_cached("INSERT INTO stock (product, qty) VALUES (?1, ?2)")?
                    .execute(params![shelf.product, shelf.initial])?;
            }
            for (id, order) in orders.iter().enumerate() {
                tx.prepare_cached("INSERT INTO orders (id, replica) VALUES (?1, ?2)")?
                    .execute(params![id, id % replicas])?;
                for (line, item) in order.iter().enumerate() {
                    tx.prepare_cached("INSERT INTO items VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                        id,
                        line,
                        item.product,
                        item.qty
                    ])?;
                }
            }
            tx.commit()?;
        }
        Ok(shop)
    }

    /// From now on a holder with a smaller fence can no longer write. False if a greater one was here before us.
    pub fn claim(&self, product: &str, fence: u64) -> Result<bool> {
        let changed = self
            .db()
            .prepare_cached("UPDATE stock SET fence = ?2 WHERE product = ?1 AND fence <= ?2")?
            .execute(params![product, fence])?;
        Ok(changed == 1)
    }

    /// Reads the stock of a product, and whether this item was sold already.
    pub fn look(&self, product: &str, at: Line) -> Result<Found> {
        self.db()
            .prepare_cached(
                "SELECT qty, EXISTS (SELECT 1 FROM ledger WHERE order_id = ?2 AND line = ?3) FROM stock WHERE product = ?1",
            )?
            .query_row(params![product, at.order, at.line], |row| {
                Ok(Found { left: row.get(0)?, sold_before: row.get(1)? })
            })
    }

    /// Writes what is left after a sale. With a fence, only if no later holder has claimed the product; false if one has.
    pub fn sell(&self, product: &str, at: Line, qty: u32, left: u32, fence: Option<u64>) -> Result<bool> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = match fence {
            Some(fence) => tx
                .prepare_cached("UPDATE stock SET qty = ?2, fence = ?3 WHERE product = ?1 AND fence <= ?3")?
                .execute(params![product, left, fence])?,
            None => {
                tx.prepare_cached("UPDATE stock SET qty = ?2 WHERE product = ?1")?.execute(params![product, left])?
            }
        };
        if changed == 0 {
            return Ok(false);
        }
        tx.prepare_cached("INSERT INTO ledger VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![at.order, at.line, product, qty])?;
        tx.commit()?;
        Ok(true)
    }

    /// The orders that wait for a replica.
    pub fn open_orders(&self, replica: usize) -> Result<Vec<OpenOrder>> {
        let db = self.db();
        let mut query = db.prepare_cached(
            "SELECT id, line, product, qty FROM orders JOIN items ON order_id = id
             WHERE replica = ?1 AND NOT done ORDER BY id, line",
        )?;
        let mut rows = query.query(params![replica])?;
        let mut open: Vec<OpenOrder> = Vec::new();
        while let Some(row) = rows.next()? {
            let at = Line { order: row.get(0)?, line: row.get(1)? };
            let item = Item { product: row.get(2)?, qty: row.get(3)? };
            match open.last_mut().filter(|last| last.id == at.order) {
                Some(last) => last.items.push((at, item)),
                None => open.push(OpenOrder { id: at.order, items: vec![(at, item)] }),
            }
        }
        Ok(open)
    }

    /// Answers the customer: the order is done.
    pub fn acknowledge(&self, order: i64, sold: u32, refused: u32) -> Result<()> {
        self.db()
            .prepare_cached("UPDATE orders SET done = 1, sold = ?2, refused = ?3 WHERE id = ?1")?
            .execute(params![order, sold, refused])?;
        Ok(())
    }

    /// Deals the open orders of a dead replica out to the living. Says how many there were.
    pub fn hand_over(&self, dead: usize, living: &[usize]) -> Result<usize> {
        let mut db = self.db();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let orders: Vec<i64> = tx
            .prepare("SELECT id FROM orders WHERE replica = ?1 AND NOT done")?
            .query_map(params![dead], |row| row.get(0))?
            .collect::<Result<_>>()?;
        for (id, replica) in orders.iter().zip(living.iter().cycle()) {
            tx.execute("UPDATE orders SET replica = ?2 WHERE id = ?1", params![id, replica])?;
        }
        tx.commit()?;
        Ok(orders.len())
    }

    /// Whether any replica still has something to do.
    pub fn any_open(&self) -> Result<bool> {
        let open = self
            .db()
            .prepare_cached("SELECT 1 FROM orders WHERE NOT done LIMIT 1")?
            .query_row([], |_| Ok(()))
            .optional()?;
        Ok(open.is_some())
    }

    /// For the audit, which reads more than a shop has to.
    pub fn db(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
