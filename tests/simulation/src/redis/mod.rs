//! A server: what it has, over a clock that somebody else moves, and the few commands that scripts and the runtime send.
//!
//! Replies, errors and expiry are those of Redis 7; the test `the_subset_answers_as_redis_does` compares the two.

mod collections;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    str::{self, FromStr},
};

pub(crate) use self::collections::in_order;
use crate::{cluster::Slots, plan::Time};

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
    /// What RESP 3 marks as no reply to a request.
    Push(Vec<Reply>),
}

impl Reply {
    pub(crate) fn ok() -> Self {
        Self::Status("OK".to_owned())
    }

    pub(crate) fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn count(count: usize) -> Self {
        Self::Int(count as i64)
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }
}

/// A server.
#[derive(Debug, Default)]
pub struct Redis {
    pub(crate) keys: BTreeMap<Vec<u8>, Entry>,
    /// The server's clock, in microseconds.
    pub now: u64,
    /// Which connections listen to which channel.
    pub(crate) listeners: BTreeMap<Vec<u8>, Vec<usize>>,
    /// What was published, with its channel, since it was last taken.
    pub(crate) published: Vec<(Vec<u8>, Vec<u8>)>,
    /// Which keys were written since they were last taken.
    pub(crate) written: Vec<Vec<u8>>,
    /// The scripts that it knows, by their hashes.
    pub(crate) scripts: BTreeSet<Vec<u8>>,
    /// Which life of the server this is: its replication id. And the one before, if it was promoted from that; else 0.
    pub life: u64,
    pub(crate) before: u64,
    /// Which process it is, and when that began.
    pub(crate) run: u64,
    pub(crate) started: u64,
    /// Until when it does not run, loads its data, or does nothing.
    pub(crate) down: Time,
    pub(crate) loading: Time,
    pub(crate) stalled: Time,
    /// From when on its failover guard lets it grant anything.
    pub(crate) opens: Time,
    /// A replica takes no writes.
    pub(crate) is_replica: bool,
    /// Counts the changes of the master that it copies.
    pub(crate) era: u32,
    /// Memory is full: nothing grows.
    pub(crate) is_full: bool,
    /// Which of the servers it is, and of a cluster, which of them has which slots.
    pub(crate) node: usize,
    pub(crate) slots: Option<Rc<RefCell<Slots>>>,
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
    Sorted(Sorted),
    Hash(Hash),
}

/// The scores of the members.
pub(crate) type Sorted = BTreeMap<Vec<u8>, f64>;

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) type Answer = Result<Reply, String>;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_WHOLE: &str = "value is not an integer or out of range";

impl Redis {
    fn millis(&self) -> u64 {
        self.now / 1_000
    }

    /// One more connection listens, or one less.
    pub fn listen(&mut self, channel: &[u8], connection: usize, on: bool) {
        let listeners = self.listeners.entry(channel.to_vec()).or_default();
        listeners.retain(|known| *known != connection);
        listeners.extend(on.then_some(connection));
    }

    pub(crate) fn hearers(&self, channel: &[u8]) -> usize {
        self.listeners.get(channel).map_or(0, Vec::len)
    }

    /// Who listens to a server of a cluster listens to sharded channels, who listens to another one to plain channels.
    fn is_heard(&self, verb: &[u8]) -> bool {
        self.slots.is_some() == verb.starts_with(b"S")
    }

    /// The string at `key`, and the last millisecond in which it exists.
    pub(crate) fn string(&self, key: &[u8]) -> Option<(&[u8], Option<u64>)> {
        match self.live(key)? {
            Entry { value: Value::Text(text), expires } => Some((text, *expires)),
            _ => None,
        }
    }

    pub(crate) fn all(&self) -> Vec<Vec<u8>> {
        self.keys.keys().filter(|key| self.has(key)).cloned().collect()
    }

    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.live(key).is_some()
    }

    /// A key comes from another server, or goes, as it did there.
    pub(crate) fn replace(&mut self, key: Vec<u8>, entry: Option<Entry>) {
        self.keys.remove(&key);
        self.keys.extend(entry.map(|entry| (key, entry)));
    }

    /// Runs one command.
    pub fn command(&mut self, words: &[&[u8]]) -> Reply {
        let refusal = self.refusal(words);
        refusal.map_or_else(|| self.answer(words), Err).unwrap_or_else(Reply::Error)
    }

    /// Why it does not run a command. What it runs may write its keys.
    fn refusal(&mut self, words: &[&[u8]]) -> Option<String> {
        let [verb, keys @ ..] = words else { return None };
        if let (Some(slots), [key, ..]) = (&self.slots, keys)
            && !matches!(*verb, b"INFO" | b"PUBSUB" | b"PUBLISH")
        {
            let is_there = *verb == b"SPUBLISH" || self.has(key);
            if slots.borrow().refusal(self.node, &[(key, is_there)], Time::MAX).is_some() {
                return Some("ERR Script attempted to access a non local key in a cluster node".to_owned());
            }
        }
        let (grows, keys) = match *verb {
            b"SET" | b"ZADD" | b"HSET" | b"HINCRBY" => (true, &keys[..1]),
            b"DELIFEQ" | b"PEXPIRE" | b"ZREM" | b"ZPOPMIN" => (false, &keys[..1]),
            b"DEL" => (false, keys),
            _ => return None,
        };
        if self.is_replica {
            return Some("READONLY You can't write against a read only replica.".to_owned());
        }
        if self.is_full && grows {
            return Some("OOM command not allowed when used memory > 'maxmemory'.".to_owned());
        }
        self.written.extend(keys.iter().map(|key| key.to_vec()));
        None
    }

    /// Carries a command out, whoever has the slot of its key.
    pub(crate) fn answer(&mut self, words: &[&[u8]]) -> Answer {
        Ok(match words {
            [b"GET", key] => self.get(key)?,
            // A key of another type has no text.
            [b"MGET", keys @ ..] => Reply::List(keys.iter().map(|key| self.get(key).unwrap_or(Reply::Nil)).collect()),
            [b"SET", key, value] => self.set(key, value, None),
            [b"SET", key, value, b"KEEPTTL"] => {
                let kept = self.live(key).and_then(|entry| entry.expires);
                self.set(key, value, kept)
            }
            [b"SET", key, value, only_new @ .., b"PX", span] if matches!(only_new, [] | [b"NX"]) => {
                let span = parsed::<u64>(span, NOT_WHOLE)?;
                let expires = self.millis() + if self.hurries { span - span / 10 } else { span };
                if only_new.is_empty() || !self.has(key) { self.set(key, value, Some(expires)) } else { Reply::Nil }
            }
            [b"DEL", keys @ ..] => {
                Reply::count(keys.iter().filter(|key| self.has(key) && self.keys.remove(**key).is_some()).count())
            }
            // Of Valkey 9.
            [b"DELIFEQ", key, value] => {
                let is_so = self.get(key)? == Reply::Text(value.to_vec());
                Reply::count(usize::from(is_so && self.keys.remove(*key).is_some()))
            }
            [b"PTTL", key] => Reply::Int(
                self.live(key).map_or(-2, |entry| entry.expires.map_or(-1, |expires| (expires - self.millis()) as i64)),
            ),
            [b"PEXPIRE", key, span] => {
                let (now, span) = (self.millis(), parsed(span, NOT_WHOLE)?);
                let entry = self.keys.get_mut(*key).filter(|entry| entry.lives(now));
                Reply::count(entry.into_iter().map(|entry| entry.expires = Some(now.saturating_add(span))).count())
            }
            [b"INFO", b"replication"] => {
                let role = if self.is_replica { "slave" } else { "master" };
                let ids = format!("master_replid:{}\r\nmaster_replid2:{}\r\n", id(self.life), id(self.before));
                Reply::text(format!("# Replication\r\nrole:{role}\r\n{ids}"))
            }
            [b"INFO", b"server"] => {
                let uptime = self.now.saturating_sub(self.started) / 1_000_000;
                Reply::text(format!("# Server\r\nrun_id:{}\r\nuptime_in_seconds:{uptime}\r\n", id(self.run)))
            }
            [b"TIME"] => {
                let parts = [self.now / 1_000_000, self.now % 1_000_000];
                Reply::List(parts.map(|part| Reply::text(part.to_string())).into())
            }
            [b"PUBSUB", verb @ (b"NUMSUB" | b"SHARDNUMSUB"), channels @ ..] => {
                let hearers = |channel: &[u8]| if self.is_heard(verb) { self.hearers(channel) } else { 0 };
                let count = |channel: &&[u8]| [Reply::text(*channel), Reply::count(hearers(channel))];
                Reply::List(channels.iter().flat_map(count).collect())
            }
            [verb @ (b"PUBLISH" | b"SPUBLISH"), ..] if !self.is_heard(verb) => Reply::Int(0),
            [b"PUBLISH" | b"SPUBLISH", channel, message] => {
                self.published.push((channel.to_vec(), message.to_vec()));
                Reply::count(self.hearers(channel))
            }
            _ => return self.on_collection(words),
        })
    }

    fn live(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key).filter(|entry| entry.lives(self.millis()))
    }

    fn get(&self, key: &[u8]) -> Answer {
        match self.live(key).map(|entry| &entry.value) {
            None => Ok(Reply::Nil),
            Some(Value::Text(text)) => Ok(Reply::Text(text.clone())),
            Some(_) => Err(WRONG_TYPE.to_owned()),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8], expires: Option<u64>) -> Reply {
        self.keys.insert(key.to_vec(), Entry { value: Value::Text(value.to_vec()), expires });
        Reply::ok()
    }
}

impl Entry {
    fn lives(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now <= expires)
    }
}

/// What a server calls its life or its process.
pub(crate) fn id(number: u64) -> String {
    format!("{number:040x}")
}

fn parsed<T: FromStr>(text: &[u8], or: &str) -> Result<T, String> {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(|| format!("ERR {or}"))
}
