//! Heartbeats: whether a subscription is at the server to which commands go.

use std::str;

use redis::{RedisResult, Value, from_redis_value};

use super::super::{combiner::Combiner, connections::Connections, exchange::Exchange, link::Link};

/// A heartbeat of one subscription, which is published on the connection for commands.
#[derive(Clone, Debug)]
pub(in super::super) struct Heartbeat {
    /// The channel of the runtime.
    pub(in super::super) channel: String,
    /// The channel of the subscription.
    pub(in super::super) own: String,
    pub(in super::super) number: u64,
}

/// What the server says about the subscription.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct HeartbeatReply {
    /// Whether the subscription is at this server; `None` if this user may not know.
    pub(in super::super) is_here: Option<bool>,
    /// Whether a heartbeat was published.
    pub(in super::super) is_published: bool,
    pub(in super::super) is_replica: bool,
    /// Neither replica nor master if this user may not know.
    pub(in super::super) is_master: bool,
}

impl Heartbeat {
    /// Takes one round trip. What the user has no permission for says nothing.
    pub(super) async fn publish(&self, mut connection: Link) -> RedisResult<HeartbeatReply> {
        // As the scripts do (channel.lua).
        let (publish, count) =
            if self.channel.contains('{') { ("SPUBLISH", "SHARDNUMSUB") } else { ("PUBLISH", "NUMSUB") };
        let mut commands = redis::pipe();
        commands.cmd(publish).arg(&self.own).arg(format!("beat {}", self.number));
        commands.cmd("PUBSUB").arg(count).arg(&self.channel).arg(&self.own);
        commands.cmd("ROLE");
        let replies: Vec<RedisResult<Value>> = commands.ignore_errors().query_async(&mut connection).await?;
        let mut replies = replies.into_iter().map(Result::ok);
        let mut next = || replies.next().flatten();
        Ok(HeartbeatReply::of(next(), next(), next()))
    }
}

impl Exchange for Heartbeat {
    type Output = HeartbeatReply;

    async fn send(&mut self, _: &Connections, connection: &Combiner, _: bool) -> RedisResult<HeartbeatReply> {
        self.publish(connection.connection()).await
    }
}

impl HeartbeatReply {
    fn of(published: Option<Value>, counted: Option<Value>, role: Option<Value>) -> Self {
        let receivers = published.and_then(|value| from_redis_value::<u64>(value).ok());
        let listeners = counted.and_then(|value| from_redis_value::<Vec<(String, u64)>>(value).ok());
        let role = match role {
            Some(Value::Array(parts)) => parts.into_iter().next().and_then(|role| from_redis_value(role).ok()),
            _ => None,
        };
        let role: Option<String> = role;
        let has_role = |name: &str| role.as_deref() == Some(name);
        Self {
            is_here: receivers
                .map(|count| count > 0)
                .or(listeners.map(|counts| counts.iter().all(|(_, count)| *count > 0))),
            is_published: receivers.is_some(),
            is_replica: has_role("slave") || has_role("replica"),
            is_master: has_role("master"),
        }
    }
}

/// Reads `beat number`.
pub(in super::super) fn read(payload: &[u8]) -> Option<u64> {
    str::from_utf8(payload).ok()?.strip_prefix("beat ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn what_a_user_may_ask_is_put_together() {
        let counted = |count| Some(Value::Array(vec![text("a"), Value::Int(1), text("b"), Value::Int(count)]));
        let role = |role: &str| Some(Value::Array(vec![text(role), Value::Int(0)]));
        let reply = HeartbeatReply::of(Some(Value::Int(1)), counted(1), role("master"));
        assert_eq!((reply.is_here, reply.is_published, reply.is_master), (Some(true), true, true));
        let reply = HeartbeatReply::of(Some(Value::Int(0)), counted(0), role("slave"));
        assert_eq!((reply.is_here, reply.is_replica), (Some(false), true));
        for count in [0, 1] {
            let reply = HeartbeatReply::of(None, counted(count), None);
            let expected =
                HeartbeatReply { is_here: Some(count > 0), is_published: false, is_replica: false, is_master: false };
            assert_eq!(reply, expected, "without PUBLISH and ROLE");
        }
        assert_eq!(HeartbeatReply::of(None, None, None).is_here, None);
    }

    #[test]
    fn only_heartbeats_are_read_as_such() {
        assert_eq!(read(b"beat 12"), Some(12));
        for other in [&b"granted 12"[..], b"beat x", b"beat ", b"\xff"] {
            assert_eq!(read(other), None);
        }
    }
}
