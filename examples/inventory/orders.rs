//! The stream of orders: baskets from a CSV file, or made up from a seed.
//!
//! Every order for a product asks for the same quantity, its pack. So what is sold in total does not depend on the
//! order in which the replicas get to the baskets, and the audit can compare with a sequential run.

use std::fs;
use std::path::Path;

/// One line of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub product: String,
    pub qty: u32,
}

/// A basket.
pub type Order = Vec<Item>;

/// Reads one basket a line, items separated by commas; each item is one unit.
///
/// Names are taken as they stand, with their spaces: `"cream cheese "` and `"cream cheese"` are two products. A name
/// that holds a comma may stand in double quotes.
///
/// # Errors
/// A sentence for the user: the file cannot be read, or there is nothing in it.
pub fn from_csv(path: &Path) -> Result<Vec<Order>, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let orders: Vec<Order> = text.lines().map(basket).filter(|order| !order.is_empty()).collect();
    if orders.is_empty() {
        return Err(format!("there are no orders in {}", path.display()));
    }
    Ok(orders)
}

fn basket(line: &str) -> Order {
    fields(line).into_iter().filter(|name| !name.is_empty()).map(|product| Item { product, qty: 1 }).collect()
}

/// Splits at the commas outside double quotes. A doubled quote inside quotes is one quote.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            ',' if !quoted => fields.push(String::new()),
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[last].push('"');
            }
            '"' if quoted => quoted = false,
            '"' if fields[last].is_empty() => quoted = true,
            c => fields[last].push(c),
        }
    }
    fields
}

/// Makes up `count` baskets of one to six items out of 60 products. The n-th product is asked for in proportion to
/// 1/n, as in most shops, so the first few are fought over.
pub fn generated(count: usize, seed: u64) -> Vec<Order> {
    const PRODUCTS: u32 = 60;
    let mut total = 0.0;
    let cumulative: Vec<f64> = (1..=PRODUCTS)
        .map(|n| {
            total += 1.0 / f64::from(n);
            total
        })
        .collect();
    let mut random = SplitMix(seed);
    let item = |random: &mut SplitMix| {
        let at = random.unit() * total;
        let index = cumulative.partition_point(|&upper| upper <= at);
        let index = u32::try_from(index).unwrap_or(0).min(PRODUCTS - 1);
        Item { product: format!("product {:02}", index + 1), qty: 1 + index % 3 }
    };
    (0..count)
        .map(|_| {
            let size = 1 + random.next() % 6;
            (0..size).map(|_| item(&mut random)).collect()
        })
        .collect()
}

/// SplitMix64: ten lines, and the same stream on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in 0..1, of 32 random bits: enough to pick one of 60.
    fn unit(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(bits) / 4_294_967_296.0
    }
}
