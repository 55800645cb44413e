//! `warn = false` says that it is meant, and what only looks like it is never warned of.

#![deny(warnings)]
#![allow(dead_code)] // The functions only have to compile.

use std::thread;
use std::time::Duration;

use dlock_runtime::{LockError, distributed_lock};

struct Transaction<'c>(&'c str);

#[distributed_lock(key = "stock:<id>", warn = false)]
async fn meant(tx: &mut Transaction<'_>, id: u64) -> Result<(), LockError> {
    tokio::spawn(std::future::ready(id));
    let _ = tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(1))).await;
    println!("{}", tx.0);
    Ok(())
}

mod bank {
    pub struct Transaction(pub u64);
}

mod tasks {
    pub mod tokio {
        pub fn spawn<T>(_: T) {}
    }
}

fn spawn<T>(_: T) {}

fn sleep<T>(_: T) {}

/// Functions and types of one's own, methods, strings and comments.
#[distributed_lock(key = "bank:<account>")]
async fn innocent(account: u64, transaction: bank::Transaction) -> Result<u64, LockError> {
    spawn("tokio::spawn(..)"); // tokio::spawn(..)
    sleep("std::thread::sleep(..)");
    tasks::tokio::spawn(account);
    let mut set = tokio::task::JoinSet::new();
    set.spawn(std::future::ready(1));
    thread::scope(|scope| drop(scope.spawn(|| 1)));
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(transaction.0)
}
