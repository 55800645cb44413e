//! A request that takes a shorter way first, which is enough for most, and goes by its own script where it is not.

use redis::{Cmd, RedisResult, Value};

use super::{
    classify::{self, Fault},
    combiner::{Asked, Combiner, IfAbandoned},
    connections::Connections,
    epoch::Told,
    exchange::Exchange,
    groups::{Answer, Member},
    script::By,
    script_call::ScriptCall,
};

/// A shorter way than the script for one lock.
pub(super) enum Shortcut {
    /// One plain command, as clients of other kinds use it, takes a lock that is probably free, where no fence is needed. It does not
    /// look at the queue; while somebody is in it the lock is free only for moments, after a crash or the release of a client that
    /// is not dlock.
    Plain(Cmd),
    /// A script for many locks.
    Together(Member),
}

impl Shortcut {
    fn take(self, connection: &Combiner) -> Asked<'_> {
        match self {
            Self::Plain(command) => connection.ask(command, IfAbandoned::Dropped),
            Self::Together(member) => connection.together(member),
        }
    }
}

/// `None` if the lock has another value by now, which may have come of a mark alone; or if the server does not do that.
async fn compare(command: Cmd, connections: &Connections, connection: &Combiner) -> Answer {
    match connection.call(command, IfAbandoned::Sent).await {
        Ok(reply) => Ok(Some(reply).filter(|reply| *reply != Value::Int(0))),
        Err(error) if classify::classify(&error) == Fault::Misconfigured => {
            connections.form.set_comparison(None);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The shorter way, and the script.
pub(super) struct ShortcutCall<G, C, S, R> {
    shortcut: Option<Shortcut>,
    /// A command that does without a script, where it would be for one lock.
    comparison: Option<Cmd>,
    /// Reads what the shorter way came to; `None` if the script is to be asked.
    read: G,
    script: ScriptCall<C, S, R>,
}

impl<G, C, S, R> ShortcutCall<G, C, S, R> {
    pub(super) fn new(shortcut: Shortcut, read: G, script: ScriptCall<C, S, R>) -> Self {
        Self { shortcut: Some(shortcut), comparison: None, read, script }
    }

    pub(super) fn or_compare(self, comparison: Option<Cmd>) -> Self {
        Self { comparison, ..self }
    }
}

impl<G, C, S, R, T> Exchange for ShortcutCall<G, C, S, R>
where
    G: Fn(Value) -> RedisResult<Option<T>> + Send + 'static,
    C: Fn(By, Option<&Told>) -> Cmd + Send + 'static,
    S: FnMut(bool) + Send + 'static,
    R: Fn(Value, bool) -> RedisResult<T> + Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    async fn send(&mut self, connections: &Connections, connection: &Combiner, repeated: bool) -> RedisResult<T> {
        if !repeated && let Some(shortcut) = self.shortcut.take() {
            (self.script.on_send)(false);
            let mut answer = shortcut.take(connection).await?;
            if answer.is_none()
                && let Some(command) = self.comparison.take()
            {
                answer = Box::pin(compare(command, connections, connection)).await?;
            }
            if let Some(reply) = answer
                && let Some(output) = (self.read)(reply)?
            {
                return Ok(output);
            }
        }
        // It knows the token, if an earlier copy was carried out. Boxed, as few need it, and all would have room for it.
        Box::pin(self.script.send(connections, connection, repeated)).await
    }
}
