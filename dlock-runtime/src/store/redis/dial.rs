//! How connections are made: by the redis crate, and in a simulated world over a stream that it provides.

#[cfg(dlock_simulation)]
use redis::RedisError;
use redis::{
    AsyncConnectionConfig, Client, RedisResult,
    aio::{MultiplexedConnection, PubSub},
};

#[cfg(dlock_simulation)]
use crate::system;

/// A connection for commands.
#[cfg(not(dlock_simulation))]
pub(super) async fn commands(client: &Client, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
    client.get_multiplexed_async_connection_with_config(config).await
}

/// A connection for messages.
#[cfg(not(dlock_simulation))]
pub(super) async fn messages(client: &Client) -> RedisResult<PubSub> {
    client.get_async_pubsub().await
}

#[cfg(dlock_simulation)]
pub(super) async fn commands(client: &Client, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
    let stream = system::connect().await.map_err(RedisError::from)?;
    let settings = client.get_connection_info().redis_settings();
    let (connection, driver) = MultiplexedConnection::new_with_config(settings, stream, config.clone()).await?;
    drop(system::spawn(driver));
    Ok(connection)
}

#[cfg(dlock_simulation)]
pub(super) async fn messages(client: &Client) -> RedisResult<PubSub> {
    let stream = system::connect().await.map_err(RedisError::from)?;
    PubSub::new(client.get_connection_info().redis_settings(), stream).await
}
