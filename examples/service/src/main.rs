//! A web service whose handlers hold a distributed lock. Start two of them on one Redis and one database:
//!
//! ```text
//! REDIS_URL=redis://127.0.0.1/ LISTEN=127.0.0.1:3001 cargo run -p dlock-service
//! REDIS_URL=redis://127.0.0.1/ LISTEN=127.0.0.1:3002 cargo run -p dlock-service
//! curl -i -X POST localhost:3001/products/1/deduct -H 'content-type: application/json' -d '{"qty": 2}'
//! curl localhost:3002/products/1
//! curl localhost:3002/metrics
//! ```
//!
//! `deduct.rs` is the file to read.

mod config;
mod deduct;
mod error;
mod stock;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use config::Config;
use deduct::deduct;
use dlock_runtime::Runtime;
use error::ApiError;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use std::error::Error;
use std::time::Duration;
use stock::{Product, Stock};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long the locks of the last requests may take to be released before the process ends.
const DRAIN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let locks = serve().await?;
    // The requests under way have been answered, but a handler whose client has left may still hold its lock for a
    // moment. One that the process took with it would keep the others waiting for its TTL.
    if !locks.shutdown(DRAIN).await {
        eprintln!("some locks were not released and last until their TTL");
    }
    Ok(())
}

/// Serves until SIGTERM or Ctrl-C and all requests are answered.
async fn serve() -> Result<Runtime, Box<dyn Error>> {
    let config = Config::from_env()?;
    let buckets = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0];
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("seconds".into()), &buckets)?
        .install_recorder()?;
    let locks = Runtime::builder()
        .redis(config.redis_url)
        .namespace("shop")
        .ttl(config.lock_ttl)
        .wait(config.lock_wait)
        .install()
        .await?;
    let app = Router::new()
        .route("/products/{id}", get(product))
        .route("/products/{id}/deduct", post(deduct))
        .with_state(Stock::open(&config.database, &config.stock).await?)
        .route(
            "/metrics",
            get(async move || {
                metrics.run_upkeep();
                metrics.render()
            }),
        );
    let listener = TcpListener::bind(&config.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            // Without a handler for Ctrl-C there is nothing to wait for but SIGTERM.
            Ok(()) = tokio::signal::ctrl_c() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(locks)
}

async fn product(State(stock): State<Stock>, Path(id): Path<i64>) -> Result<Json<Product>, ApiError> {
    let qty = stock.read(id).await?.ok_or(ApiError::NotFound)?;
    Ok(Json(Product { id, qty }))
}
