//! What a client is told when it did not work. "Busy" and "we cannot tell" are different answers: after the first the
//! client may try again soon, after the second somebody should look at Redis.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use dlock_runtime::LockError;
use serde::Serialize;
use std::time::Duration;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum ApiError {
    NotFound,
    OutOfStock {
        left: i64,
    },
    /// A later holder has claimed the product; nothing was written.
    Stale,
    Lock(LockError),
    Database(sqlx::Error),
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<i64>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        // Details are for the log, not for the client.
        if let Self::Lock(e) = &self {
            let cause = std::error::Error::source(e).map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("{e}{cause}");
        }
        if let Self::Database(e) = &self {
            eprintln!("database: {e}");
        }
        let (status, error) = match &self {
            Self::NotFound => (StatusCode::NOT_FOUND, "no such product"),
            Self::OutOfStock { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "out of stock"),
            Self::Stale | Self::Lock(LockError::Busy { .. }) => (StatusCode::CONFLICT, "busy, try again"),
            Self::Lock(LockError::Lost { .. }) => (StatusCode::SERVICE_UNAVAILABLE, "the lock was lost on the way"),
            Self::Lock(LockError::Unavailable { .. } | LockError::ShutDown) => {
                (StatusCode::SERVICE_UNAVAILABLE, "locks are unavailable")
            }
            Self::Lock(_) | Self::Database(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        };
        let left = match self {
            Self::OutOfStock { left } => Some(left),
            _ => None,
        };
        let mut response = (status, Json(Body { error, left })).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl ApiError {
    /// Seconds until it makes sense to try again: when the holder's lease ends at the latest, but usually much sooner.
    fn retry_after(&self) -> Option<u64> {
        let remaining = match self {
            Self::Lock(LockError::Busy { holder, .. }) => holder.as_ref().and_then(|h| h.remaining()),
            Self::Stale | Self::Lock(LockError::Lost { .. } | LockError::Unavailable { .. } | LockError::ShutDown) => {
                None
            }
            _ => return None,
        };
        let remaining = remaining.unwrap_or(Duration::from_secs(1));
        Some(remaining.as_millis().div_ceil(1000).clamp(1, 60) as u64)
    }
}

impl From<LockError> for ApiError {
    fn from(e: LockError) -> Self {
        Self::Lock(e)
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(e: sqlx::Error) -> Self {
        Self::Database(e)
    }
}
