//! What a lock alone cannot do: stop a holder that slept through the end of its lease and writes afterwards. The fence
//! can, if the resource remembers the greatest one it has seen.

use dlock_runtime::{LockError, Runtime};
use rusqlite::{Connection, params};
use std::error::Error;
use std::time::Duration;

/// The fence is claimed before the first read; from then on, smaller ones are refused.
fn claim(db: &Connection, fence: u64) -> rusqlite::Result<bool> {
    Ok(db.execute("UPDATE stock SET fence = ?1 WHERE product = 'apple' AND fence <= ?1", params![fence])? == 1)
}

fn write(db: &Connection, qty: u32, fence: u64) -> rusqlite::Result<bool> {
    let sql = "UPDATE stock SET qty = ?1, fence = ?2 WHERE product = 'apple' AND fence <= ?2";
    Ok(db.execute(sql, params![qty, fence])? == 1)
}

fn read(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("SELECT qty FROM stock WHERE product = 'apple'", [], |row| row.get(0))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let builder = match std::env::var("REDIS_URL") {
        Ok(url) => Runtime::builder().redis(url),
        Err(_) => Runtime::builder().embedded(),
    };
    let runtime = builder.namespace("fenced").build().await?;
    let db = Connection::open_in_memory()?;
    db.execute_batch(
        "CREATE TABLE stock (product TEXT PRIMARY KEY, qty INTEGER, fence INTEGER);
         INSERT INTO stock VALUES ('apple', 5, 0);",
    )?;

    // The first holder does not renew and is busy elsewhere for longer than its lease.
    let ttl = Duration::from_millis(300);
    let slow = runtime.lock("stock:apple").ttl(ttl).renew(false).max_hold(ttl).acquire().await?;
    println!("slow claims with fence {}: {}", slow.fence(), claim(&db, slow.fence())?);
    let seen_by_slow = read(&db)?;
    tokio::time::sleep(ttl).await;

    // The second holder comes, sells two, and goes.
    let quick = runtime.lock("stock:apple").acquire().await?;
    println!("quick claims with fence {}: {}", quick.fence(), claim(&db, quick.fence())?);
    println!("quick sells two: {}", write(&db, read(&db)? - 2, quick.fence())?);
    quick.release().await?;

    // The first one wakes up. It could know better, but the stock is safe even if it does not ask.
    let lost = slow.ensure_held().is_err_and(|e: LockError| e.is_lost());
    println!("slow has lost its lock: {lost}");
    println!("slow sells one all the same: {}", write(&db, seen_by_slow - 1, slow.fence())?);
    println!("left: {}", read(&db)?);
    Ok(())
}
