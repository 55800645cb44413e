//! The attribute in its simplest form: read, check, write, one caller at a time.
//!
//! `cargo run --example simplest`, with `REDIS_URL` set for locks that other processes respect too.

use dlock_runtime::{LockError, Runtime, distributed_lock};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Stands for a row in a database.
static STOCK: AtomicU32 = AtomicU32::new(5);

#[distributed_lock(key = "stock:<product>", ttl = 10)]
async fn deduct(product: &str, qty: u32) -> Result<u32, StockError> {
    let left = STOCK.load(Ordering::Relaxed);
    if left < qty {
        return Err(StockError::SoldOut { product: product.to_owned(), left });
    }
    tokio::time::sleep(Duration::from_millis(10)).await; // others would read the same stock now
    STOCK.store(left - qty, Ordering::Relaxed);
    Ok(left - qty)
}

#[derive(Debug)]
enum StockError {
    SoldOut { product: String, left: u32 },
    Lock(LockError),
}

/// All that the attribute asks of an error type.
impl From<LockError> for StockError {
    fn from(e: LockError) -> Self {
        Self::Lock(e)
    }
}

async fn customer() {
    match deduct("apple", 1).await {
        Ok(left) => println!("sold one, {left} left"),
        Err(StockError::SoldOut { product, left }) => println!("{product}: sold out, {left} left"),
        Err(StockError::Lock(e)) => println!("not now: {e}"),
    }
}

#[tokio::main]
async fn main() -> Result<(), LockError> {
    let builder = match std::env::var("REDIS_URL") {
        Ok(url) => Runtime::builder().redis(url),
        Err(_) => Runtime::builder().embedded(),
    };
    let runtime = builder.namespace("simplest").install().await?;

    let customers = (0..7).map(|_| tokio::spawn(customer())).collect::<Vec<_>>();
    for customer in customers {
        customer.await.expect("no customer panics");
    }
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
