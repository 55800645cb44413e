//! What a node says of its cluster: which master has which slots. Nothing but reading.

use redis::{FromRedisValue, RedisResult, Value, from_redis_value};

use super::super::slots;
use crate::protocol::token::Tag;

/// Some slots, and the master that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) master: Address,
}

/// Where a node says that another one is. Without a host it is where the node itself was reached, at another port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: Option<String>,
    pub(super) port: u16,
}

impl Address {
    /// Reads `host:port`, `:port` and `::1:port`, as they stand in a redirection.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // Who is to announce a host name, and has none, says so.
        if host == "?" {
            return None;
        }
        Some(Self { host: Some(host.to_owned()).filter(|host| !host.is_empty()), port: port.parse().ok()? })
    }
}

/// Reads the reply of `CLUSTER SLOTS`. What cannot be reached is left out.
///
/// # Errors
/// If it is none.
pub(super) fn ranges(reply: Value) -> RedisResult<Vec<Range>> {
    let mut ranges = Vec::new();
    for entry in from_redis_value::<Vec<Vec<Value>>>(reply)? {
        let mut parts = entry.into_iter();
        let mut next = || parts.next().unwrap_or(Value::Nil);
        let (first, last) = (number(next())?, number(next())?);
        let mut master = from_redis_value::<Vec<Value>>(next())?.into_iter();
        let host: Option<String> = from_redis_value(master.next().unwrap_or(Value::Nil))?;
        let port = number(master.next().unwrap_or(Value::Nil))?;
        let is_known = host.as_deref() != Some("?") && first <= last && usize::from(last) < slots::SLOTS;
        if is_known {
            let host = host.filter(|host| !host.is_empty());
            ranges.push(Range { first, last, master: Address { host, port } });
        }
    }
    Ok(ranges)
}

fn number<T: FromRedisValue>(value: Value) -> RedisResult<T> {
    Ok(from_redis_value(value)?)
}

/// What `CLUSTER INFO` says: whether the cluster works, and the number of its newest change. A node that is cut off knows neither.
pub(super) fn age(info: &str) -> (bool, u64) {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let epoch = field("cluster_current_epoch").and_then(|epoch| epoch.parse().ok());
    (field("cluster_state") == Some("ok"), epoch.unwrap_or(0))
}

/// The tag of a shard that has these slots: that of the slot whose number has the highest hash. So all processes choose alike, and slots
/// that come and go seldom change it.
pub(super) fn tag(slots: impl Iterator<Item = u16>) -> Tag {
    let hash = |slot: &u16| u32::from(*slot).wrapping_mul(0x9e37_79b1).rotate_left(15).wrapping_mul(0x85eb_ca6b);
    slots.max_by_key(hash).map_or(Tag::default(), slots::tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn entry(first: i64, last: i64, host: Value, port: i64) -> Value {
        let master = Value::Array(vec![host, Value::Int(port), text("id"), Value::Array(Vec::new())]);
        let replica = Value::Array(vec![text("replica"), Value::Int(1), text("id")]);
        Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
    }

    #[test]
    fn masters_are_read_by_address_by_name_and_by_the_way_they_were_asked() {
        let reply = Value::Array(vec![
            entry(0, 99, text("10.0.0.1"), 7000),
            entry(100, 100, text("node-2.example"), 7000),
            entry(101, 200, text("2001:db8::1"), 7001),
            entry(201, 300, text(""), 7002),
            entry(301, 400, Value::Nil, 7003),
            entry(401, 500, text("?"), 7004),
            entry(501, 16_384, text("10.0.0.2"), 7005),
        ]);
        let ranges = ranges(reply).expect("a reply");
        let hosts = ranges.iter().map(|range| (range.master.host.as_deref(), range.master.port)).collect::<Vec<_>>();
        let expected = [
            (Some("10.0.0.1"), 7000),
            (Some("node-2.example"), 7000),
            (Some("2001:db8::1"), 7001),
            (None, 7002),
            (None, 7003),
        ];
        assert_eq!(hosts, expected, "one has no name yet, and one has slots that there are not");
        assert_eq!((ranges[2].first, ranges[2].last), (101, 200));
        assert!(super::ranges(text("PONG")).is_err());
    }

    #[test]
    fn redirections_are_read_as_servers_write_them() {
        let at = |host: &str, port| Some(Address { host: Some(host.to_owned()).filter(|host| !host.is_empty()), port });
        for (text, address) in [
            ("10.0.0.1:7000", at("10.0.0.1", 7000)),
            ("node.example:7000", at("node.example", 7000)),
            ("2001:db8::1:7000", at("2001:db8::1", 7000)),
            ("[::1]:7000", at("::1", 7000)),
            (":7000", at("", 7000)),
            ("?:7000", None),
            ("10.0.0.1", None),
            ("10.0.0.1:x", None),
        ] {
            assert_eq!(Address::read(text), address, "{text}");
        }
    }

    #[test]
    fn the_age_of_a_map_is_read() {
        assert_eq!(age("cluster_state:ok\r\ncluster_current_epoch:7\r\n"), (true, 7));
        assert_eq!(age("cluster_state:fail\r\ncluster_current_epoch:8\r\n"), (false, 8));
        assert_eq!(age(""), (false, 0));
    }

    #[test]
    fn a_shard_seldom_changes_its_tag() {
        assert_eq!(tag(std::iter::empty()), Tag::default());
        let of = |slots: std::ops::Range<u16>| tag(slots);
        // One slot more or less: it is the highest of a thousand once in a thousand times.
        let changes = (1000..2000).filter(|end| of(0..*end) != of(0..end + 1)).count();
        assert!((1..10).contains(&changes), "{changes}");
        let tag = of(0..5461).to_string();
        assert!(slots::slot(&format!("dlock:{tag}")) < 5461, "it lies in the shard");
    }
}
