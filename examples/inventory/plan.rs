//! The stock at opening time, and what a sequential run would leave of it.

use crate::orders::Order;
use std::collections::BTreeMap;

/// One product: what is there, what is asked for, and what one process that takes the orders in turn would sell.
#[derive(Clone, Debug)]
pub struct Shelf {
    pub product: String,
    /// Units that one item of an order asks for; the same in all orders.
    pub pack: u32,
    pub initial: u32,
    pub sequential: u32,
}

/// Fills the shelves so that the hot products sell out and the others do not.
///
/// Half of what the most wanted product is asked for is on every shelf, or a pack more than is asked for.
pub fn stock_for(orders: &[Order]) -> Vec<Shelf> {
    let mut demand: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for item in orders.iter().flatten() {
        let entry = demand.entry(&item.product).or_insert((item.qty, 0));
        entry.1 += item.qty;
    }
    let room = demand.values().map(|d| d.1).max().unwrap_or(0).div_ceil(2);
    demand
        .into_iter()
        .map(|(product, (pack, asked))| {
            let initial = room.min(asked + pack);
            Shelf { product: product.to_owned(), pack, initial, sequential: asked.min(initial / pack * pack) }
        })
        .collect()
}

/// Units a sequential run sells in total.
pub fn sequential_total(stock: &[Shelf]) -> u32 {
    stock.iter().map(|shelf| shelf.sequential).sum()
}
