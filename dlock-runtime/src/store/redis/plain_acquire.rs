//! Taking a lock that is probably free, for a request that needs no fence: one plain command, as clients of other kinds use it. If
//! somebody has the lock, the script is asked, which also queues. The plain command does not look at the queue; while somebody
//! is in it the lock is free only for moments, after a crash or the release of a client that is not dlock.

use std::time::SystemTime;

use redis::{Cmd, RedisResult, Value};

use super::{
    super::{AcquireCommand, AcquireReply},
    combiner::{Combiner, IfAbandoned},
    commands,
    connections::Connections,
    exchange::Exchange,
    script::By,
    script_call::ScriptCall,
};

/// The plain command, and the script.
pub(super) struct PlainAcquire<C, S, R> {
    plain: Option<Cmd>,
    script: ScriptCall<C, S, R>,
}

impl<C, S, R> PlainAcquire<C, S, R> {
    pub(super) fn new(command: &AcquireCommand, now: SystemTime, script: ScriptCall<C, S, R>) -> Self {
        Self { plain: Some(commands::plain_acquire(command, now)), script }
    }
}

impl<C, S, R> Exchange for PlainAcquire<C, S, R>
where
    C: Fn(By) -> Cmd + Send + 'static,
    S: FnMut(bool) + Send + 'static,
    R: Fn(Value, bool) -> RedisResult<AcquireReply> + Send + 'static,
{
    type Output = AcquireReply;

    async fn send(
        &mut self,
        connections: &Connections,
        connection: &Combiner,
        repeated: bool,
    ) -> RedisResult<AcquireReply> {
        if !repeated && let Some(plain) = self.plain.take() {
            (self.script.on_send)(false);
            if connection.call(plain, IfAbandoned::Dropped).await? != Value::Nil {
                return Ok(AcquireReply::Granted { fence: 0, waiting: 0 });
            }
        }
        // It knows the token, if an earlier copy of the plain command was carried out.
        self.script.send(connections, connection, repeated).await
    }
}
