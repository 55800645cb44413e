//! The few commands of Redis that work on keys and channels, over a clock that somebody else moves.
//!
//! Replies, errors and expiry are those of Redis 7; the test `the_subset_answers_as_redis_does` compares the two.

mod collections;

use std::{collections::BTreeMap, rc::Rc};

use self::collections::hash_field;
use crate::cluster::Part;

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// No value.
    Nil,
    /// An integer.
    Int(i64),
    /// A string.
    Text(Vec<u8>),
    /// A simple string such as `OK`.
    Status(String),
    /// An error, code first.
    Error(String),
    /// An array.
    List(Vec<Reply>),
}

/// The keys of a server, and who listens to it.
#[derive(Debug, Default)]
pub struct Redis {
    pub(crate) keys: BTreeMap<Vec<u8>, Entry>,
    /// The server's clock, in microseconds.
    pub(crate) now: u64,
    listeners: BTreeMap<Vec<u8>, i64>,
    /// What was published, with its channel, since it was last taken.
    pub(crate) published: Vec<(Vec<u8>, Vec<u8>)>,
    /// Which keys were written since they were last taken.
    pub(crate) written: Vec<Vec<u8>>,
    /// Which life of the server this is: its replication id. And the one before, if it was promoted from that; else 0.
    life: u64,
    before: u64,
    /// Which process it is, and when that began.
    run: u64,
    started: u64,
    /// A replica takes no writes.
    pub(crate) is_replica: bool,
    /// Memory is full: nothing grows.
    pub(crate) is_full: bool,
    /// Which keys a master of a cluster has.
    pub(crate) part: Option<Rc<Part>>,
    /// Keys live a tenth shorter than they should: a control of the judge.
    pub(crate) hurries: bool,
}

/// What stands at a key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    value: Value,
    /// The last millisecond in which it exists.
    expires: Option<u64>,
}

#[derive(Clone, Debug)]
enum Value {
    Text(Vec<u8>),
    /// By score, then by member.
    Sorted(Vec<Scored>),
    Hash(Hash),
}

type Scored = (f64, Vec<u8>);

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

type Answer = Result<Reply, String>;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

impl Redis {
    /// Moves the clock, in microseconds.
    pub fn set_time(&mut self, now: u64) {
        self.now = now;
    }

    /// From now on it has another replication id.
    pub fn begin_life(&mut self, life: u64) {
        (self.life, self.before) = (life, 0);
    }

    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    /// It goes on from the life before that, as one that was promoted does.
    pub(crate) fn goes_on_from(&mut self, before: u64) {
        self.before = before;
    }

    /// Another server was promoted, and this one has not heard of it.
    pub(crate) fn remains_master(&mut self, life: u64) {
        self.begin_life(life);
        self.is_replica = false;
    }

    /// It is another process, from that time on.
    pub fn begin_run(&mut self, run: u64, started: u64) {
        (self.run, self.started) = (run, started);
    }

    fn millis(&self) -> u64 {
        self.now / 1_000
    }

    /// One more listener on a channel, or one less.
    pub fn listen(&mut self, channel: &[u8], more: i64) {
        *self.listeners.entry(channel.to_vec()).or_default() += more;
        self.listeners.retain(|_, count| *count > 0);
    }

    pub(crate) fn listeners(&self, channel: &[u8]) -> i64 {
        self.listeners.get(channel).copied().unwrap_or(0)
    }

    /// The string at `key`, and the last millisecond in which it exists.
    pub(crate) fn text(&mut self, key: &[u8]) -> Option<(&[u8], Option<u64>)> {
        match self.live(key)? {
            Entry { value: Value::Text(text), expires } => Some((text, *expires)),
            _ => None,
        }
    }

    /// All keys that exist, in order.
    pub(crate) fn all(&mut self) -> Vec<Vec<u8>> {
        let now = self.millis();
        self.keys.iter().filter(|(_, entry)| entry.lives(now)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether there is such a key.
    pub(crate) fn has(&mut self, key: &[u8]) -> bool {
        self.live(key).is_some()
    }

    /// Takes a key out, and puts it in, as `MIGRATE` does.
    pub(crate) fn take(&mut self, key: &[u8]) -> Option<Entry> {
        self.written.push(key.to_vec());
        self.keys.remove(key)
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, entry: Option<Entry>) {
        self.written.push(key.clone());
        self.keys.extend(entry.map(|entry| (key, entry)));
    }

    /// Runs one command.
    pub fn command(&mut self, words: &[&[u8]]) -> Reply {
        if let Some(part) = self.part.clone()
            && let [verb, key, ..] = words
            && !matches!(*verb, b"INFO" | b"PUBSUB" | b"PUBLISH")
            && !part.has(key, *verb == b"SPUBLISH" || self.has(key))
        {
            return Reply::Error("ERR Script attempted to access a non local key in a cluster node".to_owned());
        }
        if let [
            verb @ (b"SET" | b"DEL" | b"DELIFEQ" | b"PEXPIRE" | b"ZADD" | b"ZREM" | b"ZPOPMIN" | b"HSET" | b"HINCRBY"),
            keys @ ..,
        ] = words
        {
            if self.is_replica {
                return Reply::Error("READONLY You can't write against a read only replica.".to_owned());
            }
            if self.is_full && matches!(*verb, b"SET" | b"ZADD" | b"HSET" | b"HINCRBY") {
                return Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".to_owned());
            }
            let keys = if *verb == b"DEL" { keys } else { &keys[..keys.len().min(1)] };
            self.written.extend(keys.iter().map(|key| key.to_vec()));
        }
        let answer = match words {
            [b"GET", key] => self.get(key),
            // A key of another type has no text.
            [b"MGET", keys @ ..] if !keys.is_empty() => {
                Ok(Reply::List(keys.iter().map(|key| self.get(key).unwrap_or(Reply::Nil)).collect()))
            }
            [b"SET", key, value, options @ ..] => self.set(key, value, options),
            [b"DEL", keys @ ..] => {
                let lived =
                    keys.iter().filter(|key| self.live(key).is_some() && self.keys.remove(**key).is_some()).count();
                Ok(Reply::Int(lived as i64))
            }
            // Of Valkey 9.
            [b"DELIFEQ", key, value] => self.get(key).map(|reply| {
                let is_so = reply == Reply::Text(value.to_vec());
                Reply::Int(i64::from(is_so && self.keys.remove(*key).is_some()))
            }),
            [b"INFO", b"replication"] => {
                let role = if self.is_replica { "slave" } else { "master" };
                let ids = format!("master_replid:{:040x}\r\nmaster_replid2:{:040x}\r\n", self.life, self.before);
                Ok(Reply::Text(format!("# Replication\r\nrole:{role}\r\n{ids}").into_bytes()))
            }
            [b"INFO", b"server"] => {
                let uptime = self.now.saturating_sub(self.started) / 1_000_000;
                let info = format!("# Server\r\nrun_id:{:040x}\r\nuptime_in_seconds:{uptime}\r\n", self.run);
                Ok(Reply::Text(info.into_bytes()))
            }
            [b"PTTL", key] => self.pttl(key),
            [b"PEXPIRE", key, span] => self.pexpire(key, span),
            [b"TIME"] => {
                let part = |number: u64| Reply::Text(number.to_string().into_bytes());
                Ok(Reply::List(vec![part(self.now / 1_000_000), part(self.now % 1_000_000)]))
            }
            [b"HGET", key, field] => self.hash(key).map(|hash| hash_field(hash, field)),
            [b"HMGET", key, fields @ ..] => {
                let of = |hash: Option<&Hash>| fields.iter().map(|field| hash_field(hash, field)).collect();
                self.hash(key).map(|hash| Reply::List(of(hash)))
            }
            [b"HSET", key, pairs @ ..] if pairs.len() % 2 == 0 => self.hset(key, pairs),
            [b"HINCRBY", key, field, by] => self.hincrby(key, field, by),
            [b"ZADD", key, b"NX", score, member] => self.zadd(key, score, member, true),
            [b"ZADD", key, score, member] => self.zadd(key, score, member, false),
            [b"ZREM", key, member] => self.zrem(key, member),
            [b"ZPOPMIN", key] => self.zpopmin(key),
            [b"ZRANGE", key, from, to] => self.zrange(key, from, to),
            [b"ZSCORE", key, member] => self.zscore(key, member),
            [b"ZCARD", key] => match self.sorted(key) {
                None => Ok(Reply::Int(0)),
                Some(members) => members.map(|members| Reply::Int(members.len() as i64)),
            },
            [b"ZCOUNT", key, low, high] => self.zcount(key, low, high),
            [b"PUBSUB", b"NUMSUB" | b"SHARDNUMSUB", channels @ ..] => {
                let count = |channel: &&[u8]| [Reply::Text(channel.to_vec()), Reply::Int(self.listeners(channel))];
                Ok(Reply::List(channels.iter().flat_map(count).collect()))
            }
            [b"PUBLISH" | b"SPUBLISH", channel, message] => {
                self.published.push((channel.to_vec(), message.to_vec()));
                Ok(Reply::Int(self.listeners(channel)))
            }
            _ => {
                let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                Err(format!("ERR unknown command {words:?}: it is not in the subset"))
            }
        };
        answer.unwrap_or_else(Reply::Error)
    }

    fn live(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let now = self.millis();
        if self.keys.get(key).is_some_and(|entry| !entry.lives(now)) {
            self.keys.remove(key);
        }
        self.keys.get_mut(key)
    }

    fn get(&mut self, key: &[u8]) -> Answer {
        match self.live(key) {
            None => Ok(Reply::Nil),
            Some(Entry { value: Value::Text(text), .. }) => Ok(Reply::Text(text.clone())),
            Some(_) => Err(WRONG_TYPE.to_owned()),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], options: &[&[u8]]) -> Answer {
        let (mut only_new, mut asks, mut keeps, mut span) = (false, false, false, None);
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match *option {
                b"NX" => only_new = true,
                b"GET" => asks = true,
                b"KEEPTTL" => keeps = true,
                b"PX" => span = Some(integer(options.next().ok_or("ERR syntax error")?)?),
                b"EX" => span = Some(integer(options.next().ok_or("ERR syntax error")?)?.saturating_mul(1_000)),
                _ => return Err("ERR syntax error".to_owned()),
            }
        }
        if span.is_some_and(|span| span <= 0) {
            return Err("ERR invalid expire time in 'set' command".to_owned());
        }
        let before = if asks { self.get(key)? } else { Reply::Nil };
        if only_new && self.live(key).is_some() {
            return Ok(before);
        }
        let kept = if keeps { self.live(key).and_then(|entry| entry.expires) } else { None };
        let expires = span.map(|span| self.millis() + self.lasts(span as u64)).or(kept);
        self.keys.insert(key.to_vec(), Entry { value: Value::Text(value.to_vec()), expires });
        Ok(if asks { before } else { Reply::Status("OK".to_owned()) })
    }

    fn lasts(&self, span: u64) -> u64 {
        if self.hurries { span - span / 10 } else { span }
    }

    fn pttl(&mut self, key: &[u8]) -> Answer {
        let now = self.millis();
        Ok(Reply::Int(match self.live(key) {
            None => -2,
            Some(Entry { expires: None, .. }) => -1,
            Some(Entry { expires: Some(expires), .. }) => (*expires - now) as i64,
        }))
    }

    fn pexpire(&mut self, key: &[u8], span: &[u8]) -> Answer {
        let (span, now) = (integer(span)?, self.millis());
        let Some(entry) = self.live(key) else { return Ok(Reply::Int(0)) };
        entry.expires = Some(now.saturating_add_signed(span));
        if span <= 0 {
            self.keys.remove(key);
        }
        Ok(Reply::Int(1))
    }
}

impl Entry {
    fn lives(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now <= expires)
    }
}

/// A number as Redis writes it into a command or a reply: `%.17g`. Only whole numbers occur.
pub(crate) fn number(value: f64) -> String {
    assert!(value.fract() == 0.0 && value.abs() < 1e17, "{value} is no whole number that a script should handle");
    format!("{value:.0}")
}

fn integer(text: &[u8]) -> Result<i64, String> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| "ERR value is not an integer or out of range".to_owned())
}

fn float(text: &[u8]) -> Result<f64, String> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| "ERR value is not a valid float".to_owned())
}
