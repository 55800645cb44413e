//! A request that travels in a script for many, if that is possible, and else by its own script.

use redis::{Cmd, RedisResult, Value};

use super::{
    combiner::Combiner, connections::Connections, exchange::Exchange, groups::Member, script::By,
    script_call::ScriptCall,
};

/// The member of a group, and the script for one.
pub(super) struct GroupCall<G, C, S, R> {
    member: Option<Member>,
    /// Reads what the script for many replied.
    read: G,
    script: ScriptCall<C, S, R>,
}

impl<G, C, S, R> GroupCall<G, C, S, R> {
    pub(super) fn new(member: Member, read: G, script: ScriptCall<C, S, R>) -> Self {
        Self { member: Some(member), read, script }
    }
}

impl<G, C, S, R, T> Exchange for GroupCall<G, C, S, R>
where
    G: Fn(Value) -> RedisResult<T> + Send + 'static,
    C: Fn(By) -> Cmd + Send + 'static,
    S: FnMut(bool) + Send + 'static,
    R: Fn(Value, bool) -> RedisResult<T> + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    async fn send(&mut self, connections: &Connections, connection: &Combiner, repeated: bool) -> RedisResult<T> {
        if !repeated && let Some(member) = self.member.take() {
            (self.script.on_send)(false);
            if let Some(reply) = connection.together(member).await? {
                return (self.read)(reply);
            }
        }
        // It knows the token, if an earlier copy was carried out.
        self.script.send(connections, connection, repeated).await
    }
}
