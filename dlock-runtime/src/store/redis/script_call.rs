//! A call of one script.

use redis::{Cmd, RedisResult, Value};

use super::{
    combiner::{Combiner, IfAbandoned},
    connections::Connections,
    epoch::Told,
    exchange::Exchange,
    script::By,
};

/// A call of a script: by its hash if the server takes that, else by its text.
pub(super) struct ScriptCall<C, S, R> {
    by_hash: Option<Cmd>,
    /// Makes the Redis command. It is told of the guard, if there is one.
    command: C,
    /// Called before each copy is sent; its argument says whether an earlier copy may have been carried out.
    pub(super) on_send: S,
    /// Reads the reply; its second argument is the same.
    read: R,
    if_abandoned: IfAbandoned,
}

impl<C: Fn(By, Option<&Told>) -> Cmd, S, R> ScriptCall<C, S, R> {
    /// The command is made at once, so that the future that sends it is small; but for one that depends on the connection.
    pub(super) fn new(connections: &Connections, command: C, on_send: S, read: R) -> Self {
        let mut call = Self::later(command, on_send, read);
        if connections.quarantine.is_none() {
            call.make_by_hash(connections, None);
        }
        call
    }

    /// The same, if it may turn out that it is not needed.
    pub(super) fn later(command: C, on_send: S, read: R) -> Self {
        Self { by_hash: None, command, on_send, read, if_abandoned: IfAbandoned::Dropped }
    }

    /// Sends it also if nobody waits for the reply any more by then.
    pub(super) fn even_if_abandoned(self) -> Self {
        Self { if_abandoned: IfAbandoned::Sent, ..self }
    }

    /// Makes the command that calls the script by its hash, where the server takes that.
    fn make_by_hash(&mut self, connections: &Connections, told: Option<&Told>) {
        self.by_hash = connections.form.takes_hashes().then(|| (self.command)(By::Hash, told));
    }
}

impl<C, S, R, T> Exchange for ScriptCall<C, S, R>
where
    C: Fn(By, Option<&Told>) -> Cmd + Send + 'static,
    S: FnMut(bool) + Send + 'static,
    R: Fn(Value, bool) -> RedisResult<T> + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    async fn send(&mut self, connections: &Connections, connection: &Combiner, repeated: bool) -> RedisResult<T> {
        (self.on_send)(repeated);
        let told = connection.told();
        let told = told.as_deref();
        // A copy that is sent again is made again.
        if self.by_hash.is_none() {
            self.make_by_hash(connections, told);
        }
        if let Some(command) = self.by_hash.take() {
            match connection.call(command, self.if_abandoned).await {
                Err(error) if connections.wants_another_form(&error) => {}
                reply => return (self.read)(connection.learn(told, reply?), repeated),
            }
        }
        let mut reply = connection.call((self.command)(By::Text, told), self.if_abandoned).await;
        // The first one that was sent to a cluster.
        if reply.as_ref().is_err_and(|error| connections.fence_clock.wants_slots(error)) {
            reply = connection.call((self.command)(By::Text, told), self.if_abandoned).await;
        }
        (self.read)(connection.learn(told, reply?), repeated)
    }
}
