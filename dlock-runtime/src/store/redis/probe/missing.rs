//! Which permission a user lacks. Inside of a script Redis 6.2 does not say, so the commands of the scripts are tried one by
//! one.

use redis::{RedisError, RedisResult, Value};

use super::super::{
    classify::{self, Fault},
    connections::Connections,
    keys::Keys,
    link::Link,
};
use crate::key::namespace::FENCE_CLOCK;

/// Names what makes locking impossible, given the error of a script.
pub(super) async fn name(
    connections: &Connections,
    probe: &str,
    error: &RedisError,
    connection: &mut Link,
) -> RedisResult<String> {
    let keys = Keys::of(probe, &connections.fence_clock);
    let [lock, fence_clock, queue, seen] = keys.all();
    // All but two of them write nothing, as there is nothing to change, and what these write goes at the end.
    let tries: &[(&str, &[&str])] = &[
        ("EVAL", &["return 1", "0"]),
        ("TIME", &[]),
        ("GET", &[lock]),
        ("HGET", &[fence_clock, ""]),
        ("SET", &[lock, "", "XX", "PX", "1"]),
        ("PTTL", &[lock]),
        ("ZADD", &[queue, "XX", "1", ""]),
        ("ZADD", &[seen, "XX", "1", ""]),
        ("ZREM", &[queue, ""]),
        ("ZPOPMIN", &[queue]),
        ("ZCARD", &[queue]),
        ("ZRANGE", &[queue, "0", "0"]),
        ("ZSCORE", &[seen, ""]),
        ("ZCOUNT", &[seen, "0", "0"]),
        ("HSET", &[seen, "probe", "0"]),
        ("HINCRBY", &[seen, "probe", "0"]),
        ("PEXPIRE", &[seen, "1"]),
        ("DEL", &[lock, queue, seen]),
    ];
    let mut pipeline = redis::pipe();
    for (command, args) in tries {
        pipeline.cmd(command).arg(*args);
    }
    let replies: Vec<RedisResult<Value>> = pipeline.ignore_errors().query_async(connection).await?;
    let (mut commands, mut patterns, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let namespace = probe.split("dlock-probe:").next().unwrap_or_default();
    for ((command, args), reply) in tries.iter().zip(replies) {
        let Err(error) = reply else { continue };
        let said = error.detail().unwrap_or_default();
        if said.contains("unknown command") {
            push(&mut unknown, (*command).to_owned());
        } else if classify::classify(&error) == Fault::Misconfigured && said.contains("access") {
            // A key beside the lock begins with the brace that keeps it in the same slot.
            let brace = if args.first() == Some(&lock) || namespace.contains('{') { "" } else { "{" };
            let is_clock = args.first() == Some(&fence_clock);
            push(&mut patterns, if is_clock { format!("`{FENCE_CLOCK}*`") } else { format!("`{brace}{namespace}*`") });
        } else if classify::classify(&error) == Fault::Misconfigured {
            push(&mut commands, (*command).to_owned());
        }
    }
    let mut reasons = Vec::new();
    if !unknown.is_empty() {
        let proxy = "this server, or a proxy before it, does not know";
        reasons.push(format!("{proxy} {}", unknown.join(", ")));
    }
    if !commands.is_empty() {
        reasons.push(format!("this Redis user may not run {}", commands.join(", ")));
    }
    if !patterns.is_empty() {
        reasons.push(format!("this Redis user may not touch keys {}", patterns.join(" and ")));
    }
    if reasons.is_empty() {
        reasons.push(match error.code() {
            Some("NOPERM") => "this Redis user lacks a permission that locking needs".to_owned(),
            _ => "this server, or a proxy before it, does not do what locking needs".to_owned(),
        });
    }
    Ok(reasons.join("; "))
}

fn push(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}
