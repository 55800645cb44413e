//! Whether the failover guard works with this server and this user, and whether it lets locks be granted yet.

use std::{sync::Arc, time::Duration};

use redis::{RedisError, RedisResult};

use super::{
    super::{
        super::StoreError,
        classify::{self, Fault},
        combiner::{Combiner, IfAbandoned},
        commands,
        connections::Connections,
        exchange::{self, Exchange},
    },
    unusable,
};

/// For how long the server grants nothing yet. Its epoch exists from now on.
///
/// # Errors
/// What makes the guard impossible, or impossible for the moment.
pub(in super::super) async fn opens_in(
    connections: &Arc<Connections>,
    reply_timeout: Duration,
) -> Result<Duration, StoreError> {
    let opens_in = exchange::run(connections, None, reply_timeout, Opens).await?.map_err(|error| {
        let reason = "the failover guard needs INFO and the keys `dlock:epoch*`; allow them, or say `.failover_guard(false)`, \
                      with which a failover can give a lock to a second holder";
        unusable(connections, reason.to_owned(), error)
    })?;
    if !opens_in.is_zero() {
        connections.note_closed(opens_in);
    }
    Ok(opens_in)
}

struct Opens;

impl Exchange for Opens {
    type Output = Result<Duration, RedisError>;

    async fn send(&mut self, _: &Connections, connection: &Combiner, _: bool) -> RedisResult<Self::Output> {
        let Some(told) = connection.told() else { return Ok(Ok(Duration::ZERO)) };
        match connection.call(commands::opens(&told), IfAbandoned::Dropped).await {
            Ok(reply) => Ok(Ok(Duration::from_millis(redis::from_redis_value(reply)?))),
            Err(error) if is_of_the_guard(&error) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}

/// Whether the guard will never work there: a permission is missing, or `INFO` does not say enough (closed.lua).
fn is_of_the_guard(error: &RedisError) -> bool {
    let says_too_little = error.detail().is_some_and(|said| said.contains("the failover guard needs to know"));
    says_too_little || classify::classify(error) == Fault::Misconfigured
}
