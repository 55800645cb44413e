//! Where commands go: whether that is where a subscription is.

use std::str;

use redis::{RedisResult, Value, aio::MultiplexedConnection, from_redis_value};

use super::super::{ask::Question, link::Links};

/// A question on the connection for commands, about one subscription.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// The channel of the runtime.
    pub(super) channel: String,
    /// The channel of the subscription.
    pub(super) own: String,
    pub(super) beat: u64,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// Whether the subscription is at this server; `None` if this user may not know.
    pub(super) is_here: Option<bool>,
    /// Whether a heartbeat was published.
    pub(super) is_under_way: bool,
    pub(super) is_replica: bool,
    /// Neither, if this user may not know.
    pub(super) is_master: bool,
}

impl Probe {
    /// Asks in one round trip. What the user has no permission for says nothing.
    pub(super) async fn ask(&self, mut connection: MultiplexedConnection) -> RedisResult<Proof> {
        let mut questions = redis::pipe();
        questions.cmd("PUBLISH").arg(&self.own).arg(format!("beat {}", self.beat));
        questions.cmd("PUBSUB").arg("NUMSUB").arg(&self.channel).arg(&self.own);
        questions.cmd("ROLE");
        let answers: Vec<RedisResult<Value>> = questions.ignore_errors().query_async(&mut connection).await?;
        let mut answers = answers.into_iter().map(Result::ok);
        let mut next = || answers.next().flatten();
        Ok(Proof::of(next(), next(), next()))
    }
}

impl Question for Probe {
    type Answer = Proof;

    async fn put(&mut self, _: &Links, connection: MultiplexedConnection, _: bool) -> RedisResult<Proof> {
        self.ask(connection).await
    }
}

impl Proof {
    fn of(published: Option<Value>, counted: Option<Value>, role: Option<Value>) -> Self {
        let receivers = published.and_then(|value| from_redis_value::<u64>(value).ok());
        let listeners = counted.and_then(|value| from_redis_value::<Vec<(String, u64)>>(value).ok());
        let role = match role {
            Some(Value::Array(parts)) => parts.into_iter().next().and_then(|role| from_redis_value(role).ok()),
            _ => None,
        };
        let role: Option<String> = role;
        let is = |name: &str| role.as_deref() == Some(name);
        Self {
            is_here: receivers
                .map(|count| count > 0)
                .or(listeners.map(|counts| counts.iter().all(|(_, count)| *count > 0))),
            is_under_way: receivers.is_some(),
            is_replica: is("slave") || is("replica"),
            is_master: is("master"),
        }
    }
}

/// Reads `beat number`.
pub(super) fn read(payload: &[u8]) -> Option<u64> {
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
        let proof = Proof::of(Some(Value::Int(1)), counted(1), role("master"));
        assert_eq!((proof.is_here, proof.is_under_way, proof.is_master), (Some(true), true, true));
        let proof = Proof::of(Some(Value::Int(0)), counted(0), role("slave"));
        assert_eq!((proof.is_here, proof.is_replica), (Some(false), true));
        for count in [0, 1] {
            let proof = Proof::of(None, counted(count), None);
            let expected = Proof { is_here: Some(count > 0), is_under_way: false, is_replica: false, is_master: false };
            assert_eq!(proof, expected, "without PUBLISH and ROLE");
        }
        assert_eq!(Proof::of(None, None, None).is_here, None);
    }

    #[test]
    fn only_heartbeats_are_read_as_such() {
        assert_eq!(read(b"beat 12"), Some(12));
        for other in [&b"granted 12"[..], b"beat x", b"beat ", b"\xff"] {
            assert_eq!(read(other), None);
        }
    }
}
