//! Annotated functions as handlers of axum: as they are, and with `#[debug_handler]` above and below.

use axum::body::{Body, to_bytes};
use axum::debug_handler;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use dlock_runtime::{LockError, Runtime, distributed_lock};
use serde::Deserialize;
use tower::ServiceExt;

/// Answers in its body whether the lock was held.
struct Answer(bool);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.0.to_string().into_response()
    }
}

struct ApiError(LockError);

impl From<LockError> for ApiError {
    fn from(error: LockError) -> Self {
        Self(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = if self.0.is_busy() { StatusCode::CONFLICT } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, self.0.to_string()).into_response()
    }
}

#[derive(Deserialize)]
struct Deduction {
    qty: u32,
}

#[distributed_lock(key = "stock:<id>", runtime = &locks)]
async fn plain(State(locks): State<Runtime>, Path(id): Path<u64>) -> Result<Answer, ApiError> {
    Ok(Answer(locks.is_locked(format!("stock:{id}")).await?))
}

#[distributed_lock(key = "<shop>:<id>:<deduction.qty>", guard = lock, runtime = &locks)]
async fn with_body(
    State(locks): State<Runtime>,
    Extension(shop): Extension<&'static str>,
    Path((id, _)): Path<(u64, String)>,
    Json(deduction): Json<Deduction>,
) -> Result<Answer, ApiError> {
    lock.ensure_held()?;
    Ok(Answer(locks.is_locked(format!("{shop}:{id}:{}", deduction.qty)).await?))
}

#[debug_handler]
#[distributed_lock(key = "stock:<id>", runtime = &locks)]
async fn debug_above(State(locks): State<Runtime>, Path(id): Path<u64>) -> Result<Answer, ApiError> {
    Ok(Answer(locks.is_locked(format!("stock:{id}")).await?))
}

#[distributed_lock(key = "stock:<id>", runtime = &locks)]
#[debug_handler(state = Runtime)]
async fn debug_below(State(locks): State<Runtime>, Path(id): Path<u64>) -> Result<Answer, ApiError> {
    Ok(Answer(locks.is_locked(format!("stock:{id}")).await?))
}

#[debug_handler]
#[distributed_lock(key = "stock:<id>", runtime = &locks, or_else = |error| ApiError(error).into_response())]
async fn of_any_response(State(locks): State<Runtime>, Path(id): Path<u64>) -> Response {
    match locks.is_locked(format!("stock:{id}")).await {
        Ok(held) => Answer(held).into_response(),
        Err(error) => ApiError(error).into_response(),
    }
}

/// The status and the body of the answer.
async fn ask(locks: &Runtime, request: Request<Body>) -> (StatusCode, String) {
    let routes = Router::new()
        .route("/plain/{id}", get(plain))
        .route("/body/{id}/{name}", post(with_body))
        .route("/above/{id}", get(debug_above))
        .route("/below/{id}", get(debug_below))
        .route("/any/{id}", get(of_any_response))
        .layer(Extension("berlin"))
        .with_state(locks.clone());
    let answer = routes.oneshot(request).await.expect("a router always answers");
    let status = answer.status();
    let body = to_bytes(answer.into_body(), 10_000).await.expect("a short body");
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn an_annotated_function_is_a_handler() -> Result<(), LockError> {
    let locks = Runtime::builder().embedded().wait(std::time::Duration::ZERO).build().await?;
    let held = (StatusCode::OK, "true".to_owned());
    let get = |path| Request::get(path).body(Body::empty()).expect("a request");
    for path in ["/plain/7", "/above/7", "/below/7", "/any/7"] {
        assert_eq!(ask(&locks, get(path)).await, held, "{path}");
        assert!(!locks.is_locked("stock:7").await?, "{path}: released");
        let holder = locks.lock("stock:7").acquire().await?;
        assert_eq!(ask(&locks, get(path)).await.0, StatusCode::CONFLICT, "{path}");
        holder.release().await?;
    }
    let post = Request::post("/body/7/x").header("content-type", "application/json");
    assert_eq!(ask(&locks, post.body(Body::from(r#"{"qty": 2}"#)).expect("a request")).await, held);
    // Without a valid body the extractor answers, and no lock is taken.
    let post = Request::post("/body/7/x").header("content-type", "application/json");
    let refused = ask(&locks, post.body(Body::from("{}")).expect("a request")).await;
    assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    Ok(())
}
