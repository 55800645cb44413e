//! The handler that people came for.

use crate::error::ApiError;
use crate::stock::{Product, Stock};
use axum::extract::{Path, State};
use axum::response::Json;
use dlock_runtime::distributed_lock;
use serde::Deserialize;

/// The body of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct Deduction {
    qty: u32,
}

/// Sells `qty` units: read, check, write, one request at a time in all instances. The time to wait and the TTL are the
/// operator's; they stand in the builder.
#[distributed_lock(key = "stock:<id>", guard = lock)]
pub(crate) async fn deduct(
    State(stock): State<Stock>,
    Path(id): Path<i64>,
    Json(deduction): Json<Deduction>,
) -> Result<Json<Product>, ApiError> {
    // A fence is below 2^53, so it fits.
    let fence = lock.fence().cast_signed();
    // Claimed before the first read: what an earlier holder has not written by now, it can no longer write.
    let claimed = stock.claim(id, fence).await?;
    let left = stock.read(id).await?.ok_or(ApiError::NotFound)?;
    if !claimed {
        return Err(ApiError::Stale);
    }
    let qty = left - i64::from(deduction.qty);
    if qty < 0 {
        return Err(ApiError::OutOfStock { left });
    }
    if !stock.write(id, qty, fence).await? {
        return Err(ApiError::Stale);
    }
    Ok(Json(Product { id, qty }))
}
