//! `or_else` is evaluated before the body takes the parameters.

use dlock_runtime::distributed_lock;

#[distributed_lock(key = "stock:<sku>", or_else = |err| format!("{sku}: {err}"))]
async fn deduct(sku: String) -> String {
    sku
}

fn main() {}
