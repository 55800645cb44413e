//! Reads the replies of the scripts.

use std::time::Duration;

use redis::{FromRedisValue, RedisResult, Value, from_redis_value};

use crate::{
    store::{AcquireReply, RenewReply},
    types::holder::{Holder, Record},
};

/// Reads the reply of `acquire.lua`.
pub(super) fn acquire_reply(value: Value) -> RedisResult<AcquireReply> {
    let mut parts = Parts::of(value)?;
    match parts.next::<i64>()? {
        1 => return Ok(AcquireReply::Granted { fence: parts.next()?, waiting: parts.next()? }),
        2 => return Ok(AcquireReply::Closed { opens_in: Duration::from_millis(parts.next()?) }),
        _ => {}
    }
    let (remaining, record) = parts.holder()?;
    let last_fence = parts.next()?;
    Ok(AcquireReply::Busy { holder: Holder::new(record, remaining, parts.next()?), last_fence })
}

/// Reads the reply of `renew.lua`.
pub(super) fn renew_reply(value: Value) -> RedisResult<RenewReply> {
    Ok(match from_redis_value(value)? {
        0_u64 => RenewReply::NotHeld,
        1 => RenewReply::Renewed,
        2 => RenewReply::CameBack,
        fence => RenewReply::RenewedWithFences(fence),
    })
}

/// Reads the reply of `inspect.lua`.
pub(super) fn holder(value: Value) -> RedisResult<Option<Holder>> {
    match value {
        Value::Nil => Ok(None),
        value => {
            let mut parts = Parts::of(value)?;
            let (remaining, record) = parts.holder()?;
            Ok(Some(Holder::new(record, remaining, parts.next()?)))
        }
    }
}

struct Parts(std::vec::IntoIter<Value>);

impl Parts {
    fn of(value: Value) -> RedisResult<Self> {
        Ok(Self(from_redis_value::<Vec<Value>>(value)?.into_iter()))
    }

    /// A missing part reads as nil, which every type but an optional one refuses.
    fn next<T: FromRedisValue>(&mut self) -> RedisResult<T> {
        Ok(from_redis_value(self.0.next().unwrap_or(Value::Nil))?)
    }

    /// `ttl in ms, value of the lock`.
    fn holder(&mut self) -> RedisResult<(Option<Duration>, Option<Record>)> {
        let ttl: i64 = self.next()?;
        // Other clients may write any bytes as their token.
        let value = String::from_utf8_lossy(&self.next::<Vec<u8>>()?).into_owned();
        // A negative TTL says that there is none.
        Ok((u64::try_from(ttl).ok().map(Duration::from_millis), Record::parse(&value)))
    }
}
