//! A call of one script.

use redis::{Cmd, RedisResult, Value, aio::MultiplexedConnection};

use super::{connections::Connections, exchange::Exchange, script::By};

/// A call of a script: by its hash if the server takes that, else by its text.
pub(super) struct ScriptCall<C, S, T> {
    pub(super) by_hash: Option<Cmd>,
    /// Makes the Redis command.
    pub(super) command: C,
    /// Called before each copy is sent; its argument says whether an earlier copy may have been carried out.
    pub(super) on_send: S,
    /// Reads the reply; its second argument is the same.
    pub(super) read: fn(Value, bool) -> RedisResult<T>,
}

impl<C, S, T> Exchange for ScriptCall<C, S, T>
where
    C: Fn(By) -> Cmd + Send + 'static,
    S: FnMut(bool) + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    async fn send(
        &mut self,
        connections: &Connections,
        mut connection: MultiplexedConnection,
        repeated: bool,
    ) -> RedisResult<T> {
        (self.on_send)(repeated);
        if let Some(command) = &self.by_hash {
            match connection.send_packed_command(command).await.and_then(Value::extract_error) {
                Err(error) if connections.form.wants_text(&error) => {}
                reply => return (self.read)(reply?, repeated),
            }
        }
        let by_text = (self.command)(By::Text);
        let reply = connection.send_packed_command(&by_text).await.and_then(Value::extract_error);
        (self.read)(reply?, repeated)
    }
}
