//! The audit: what the stock, the ledger and the acknowledgements say, against each other and against a sequential run.

use crate::plan::Shelf;
use crate::shop::Shop;
use rusqlite::{OptionalExtension, Result, params};

/// The books after a run, in units unless said otherwise.
#[derive(Debug, Default)]
pub struct Books {
    /// Orders that nobody has done.
    pub open_orders: u32,
    /// As the customers were told.
    pub sold: u32,
    pub refused: u32,
    /// As the ledger says.
    pub ledger: u32,
    /// Sold beyond what was there.
    pub oversold: u32,
    /// Sales, not units, whose effect on the stock another write wiped out.
    pub lost_updates: u32,
    /// Products of which less than nothing is left.
    pub negative: u32,
    /// Products that miss units nobody bought.
    pub missing: u32,
    /// Products of which a sequential run would have sold another quantity.
    pub unlike_sequential: u32,
}

impl Books {
    /// Reads the database when all replicas are done.
    pub fn audit(shop: &Shop, stock: &[Shelf]) -> Result<Self> {
        let db = shop.db();
        let mut books: Self =
            db.query_row("SELECT TOTAL(sold), TOTAL(refused), TOTAL(NOT done) FROM orders", [], |row| {
                Ok(Self {
                    sold: whole(row.get(0)?),
                    refused: whole(row.get(1)?),
                    open_orders: whole(row.get(2)?),
                    ..Self::default()
                })
            })?;
        let mut totals = db.prepare(
            "SELECT stock.qty, (SELECT TOTAL(qty) FROM ledger WHERE product = ?1) FROM stock WHERE product = ?1",
        )?;
        for shelf in stock {
            let (left, sold) = totals
                .query_row(params![shelf.product], |row| Ok((row.get::<_, i64>(0)?, whole(row.get(1)?))))
                .optional()?
                .unwrap_or_default();
            books.add(shelf, left, sold);
        }
        Ok(books)
    }

    fn add(&mut self, shelf: &Shelf, left: i64, sold: u32) {
        let expected = i64::from(shelf.initial) - i64::from(sold);
        self.ledger += sold;
        self.oversold += sold.saturating_sub(shelf.initial);
        self.negative += u32::from(left < 0);
        self.unlike_sequential += u32::from(sold != shelf.sequential);
        // Every sale writes "what I read, less a pack". So too much is left by one pack for every sale that was lost,
        // and too little cannot be left at all.
        self.missing += u32::from(left < expected);
        let surplus = u32::try_from(left - expected).unwrap_or(0);
        self.lost_updates += surplus / shelf.pack;
    }

    /// What is wrong, a sentence each; nothing if the books balance.
    pub fn complaints(&self, sequential: u32) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut complain = |wrong: bool, text: String| {
            if wrong {
                complaints.push(text);
            }
        };
        complain(self.open_orders > 0, format!("{} orders were never done", self.open_orders));
        complain(self.oversold > 0, format!("{} units were sold that were not there", self.oversold));
        complain(self.lost_updates > 0, format!("{} sales never reached the stock", self.lost_updates));
        complain(self.negative > 0, format!("{} products have a negative stock", self.negative));
        complain(self.missing > 0, format!("{} products miss units that nobody bought", self.missing));
        complain(
            self.ledger != self.sold,
            format!("the ledger has {} units, the customers were told of {}", self.ledger, self.sold),
        );
        complain(
            self.unlike_sequential > 0,
            format!(
                "{} products sold otherwise than in a sequential run ({} units in total, not {sequential})",
                self.unlike_sequential, self.ledger
            ),
        );
        complaints
    }
}

/// SQLite's TOTAL is a float, also when it adds up whole numbers or nothing at all.
fn whole(total: f64) -> u32 {
    // The greatest total is 10^9 units in a u32 per shelf; a float holds whole numbers exactly to 2^53.
    total as u32
}
