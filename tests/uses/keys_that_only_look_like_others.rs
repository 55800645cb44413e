//! A key that happens to look like a template of another language is what it is, unless it names a parameter. What does name
//! one and is meant as it stands is given as an expression.

#![deny(warnings)]

use dlock_runtime::{LockError, LockKey, distributed_lock};

#[distributed_lock(key = "{shop}:stock")]
async fn a_hash_tag(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "{id:1000}:stock:#7")]
async fn a_hash_tag_with_a_colon(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "stock:id")]
async fn a_word(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "stock::ids:#ids:$ids")]
async fn other_words(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = "stock:#id:<id>")]
async fn beside_a_placeholder(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[distributed_lock(key = LockKey::from("stock:{id}"))]
async fn meant_as_it_stands(id: u64) -> Result<u64, LockError> {
    Ok(id)
}

#[test]
fn compiles_and_runs() {
    let _ = (a_hash_tag, a_hash_tag_with_a_colon, a_word, other_words, beside_a_placeholder, meant_as_it_stands);
}
