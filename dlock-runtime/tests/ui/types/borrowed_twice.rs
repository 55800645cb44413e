//! A conflict of borrows is told at both borrows.

use dlock_runtime::{LockError, distributed_lock};

#[distributed_lock(key = "stock")]
async fn deduct(mut names: Vec<String>) -> Result<usize, LockError> {
    let first = &mut names;
    let second = &mut names;
    first.clear();
    Ok(second.len())
}

fn main() {}
