//! A transaction that the caller began is committed when the lock is free again.

#![deny(deprecated)]

use std::marker::PhantomData;

use dlock_runtime::{LockError, distributed_lock};

struct Postgres;

struct Transaction<'c, DB>(PhantomData<&'c DB>);

#[distributed_lock(key = "stock:<id>")]
async fn deduct(tx: &mut Transaction<'_, Postgres>, id: u64) -> Result<(), LockError> {
    let _ = tx.0;
    Ok(())
}

/// A parameter that is not there is not told.
#[distributed_lock(key = "stock:<id>")]
async fn configured(#[cfg(any())] tx: Transaction<'_, Missing>, id: u64) -> Result<(), LockError> {
    Ok(())
}

fn main() {
    let _ = (|tx: &mut Transaction<'_, Postgres>| drop(deduct(tx, 1)), configured);
}
