//! What a request is about, as the server sees it before it runs: which script, which locks, and who waits for them.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::server::Servers;

/// A script as a server knows it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) kind: ScriptKind,
    pub(crate) hash: Vec<u8>,
    /// Its text, or what was made of that on purpose, as Lua read it.
    pub(crate) function: mlua::Result<mlua::Function>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptKind {
    Acquire,
    Renew,
    /// A renewal that may make a lease shorter.
    Shorten,
    Release,
    AcquireMany,
    ReleaseMany,
    Inspect,
    Other,
}

/// Whose token it is: what it begins with, without the tag of a shard.
pub(crate) fn identity(token: &str) -> String {
    token.split(['{', '-']).next().unwrap_or_default().to_owned()
}

/// A lock that a request is about.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) lock: String,
    /// The token of who asks.
    pub(crate) by: String,
    pub(crate) seats: Vec<Seat>,
}

impl About {
    /// The key of the lock, if it is one of the world's.
    pub(crate) fn key(&self) -> Option<usize> {
        self.lock.strip_prefix("sim:k")?.parse().ok()
    }
}

/// A seat in the queue of a lock.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) token: String,
    /// Whether anybody hears messages for it, and up to which millisecond it counts.
    pub(crate) is_heard: bool,
    pub(crate) counts: f64,
}

impl Seat {
    /// Whether it still counts, for who asks how many wait.
    pub(crate) fn counts(&self, millis: u64) -> bool {
        self.counts >= millis as f64
    }

    /// Whether its waiter is there for certain.
    pub(crate) fn lives(&self, millis: u64) -> bool {
        self.is_heard && self.counts >= (millis + 1) as f64
    }

    pub(crate) fn may_live(&self, millis: u64) -> bool {
        self.is_heard && self.counts + 1.0 >= millis as f64
    }
}

impl Servers {
    /// The script of a request, if it is one that runs one.
    pub(crate) fn script(&mut self, words: &[Vec<u8>]) -> Option<Rc<Script>> {
        match &*words[0] {
            b"EVALSHA" => self.texts.get(&words[1]).cloned(),
            b"EVAL" => {
                let hash = hash_of(&words[1]);
                if !self.texts.contains_key(&hash) {
                    let text = String::from_utf8_lossy(&words[1]).into_owned();
                    let kind = match &*text {
                        text if text.contains("ARGV[7] 1 if it asked before") => ScriptKind::Acquire,
                        text if text.contains("-- Starts a lease anew") => ScriptKind::Renew,
                        text if text.contains("-- Gives back whatever") => ScriptKind::Release,
                        text if text.contains("-- Takes locks that are probably free") => ScriptKind::AcquireMany,
                        text if text.contains("-- Gives locks back for which nobody") => ScriptKind::ReleaseMany,
                        text if text.contains("-- Says who holds a lock") => ScriptKind::Inspect,
                        _ => ScriptKind::Other,
                    };
                    let spoilt = self.weakness.and_then(|weakness| weakness.spoil(&text));
                    self.weakened += u64::from(spoilt.is_some());
                    let function = self.host.load(spoilt.unwrap_or(text).as_bytes());
                    self.texts.insert(hash.clone(), Rc::new(Script { kind, hash: hash.clone(), function }));
                }
                self.texts.get(&hash).cloned()
            }
            _ => None,
        }
    }

    /// What kind of a script a request runs.
    pub(crate) fn kind(&mut self, words: &[Vec<u8>]) -> Option<ScriptKind> {
        let kind = self.script(words)?.kind;
        let shortens = kind == ScriptKind::Renew && argument(words, 3).is_some_and(|word| word == b"1");
        Some(if shortens { ScriptKind::Shorten } else { kind })
    }

    /// The locks that a request is about.
    pub(crate) fn about(&self, words: &[Vec<u8>], kind: Option<ScriptKind>) -> Vec<About> {
        let word =
            |place: usize| words.get(place).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        // What is set begins with a token.
        let about = |lock: usize, by: usize| {
            let (lock, by) = (word(lock), word(by).split(' ').next().unwrap_or_default().to_owned());
            About { seats: self.seats(&lock), lock, by }
        };
        let keys = keys_of(words).unwrap_or(0);
        // Of many locks of a cluster there are no keys.
        let each =
            |count: usize, by: usize| (3..words.len()).step_by(count).map(|lock| about(lock, lock + by)).collect();
        match kind {
            None => vec![about(1, 2)],
            Some(ScriptKind::AcquireMany) if keys == 0 => each(7, 4),
            Some(ScriptKind::ReleaseMany) if keys == 0 => each(2, 1),
            Some(ScriptKind::AcquireMany) => {
                // The fence clock comes between the first lock and its queue.
                let lock = |place: usize| if place == 0 { 3 } else { 4 + 2 * place };
                (0..keys / 2).map(|place| about(lock(place), 3 + keys + 2 + 3 * place)).collect()
            }
            Some(ScriptKind::ReleaseMany) => (0..keys).map(|place| about(3 + place, 3 + keys + place)).collect(),
            Some(_) => vec![about(3, 3 + keys)],
        }
    }
}

/// How many keys a script is told of.
pub(crate) fn keys_of(words: &[Vec<u8>]) -> Option<usize> {
    std::str::from_utf8(words.get(2)?).ok()?.parse().ok()
}

/// `ARGV` of a script at that place.
fn argument(words: &[Vec<u8>], place: usize) -> Option<&[u8]> {
    words.get(2 + keys_of(words)? + place).map(Vec::as_slice)
}

/// By what name a server knows a script. Each is worked out once for all worlds of a thread.
fn hash_of(text: &[u8]) -> Vec<u8> {
    thread_local! {
        static KNOWN: RefCell<BTreeMap<Vec<u8>, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(hash) = known.get(text) {
            return hash.clone();
        }
        let hash = redis::Script::new(&String::from_utf8_lossy(text)).get_hash().as_bytes().to_vec();
        known.insert(text.to_vec(), hash.clone());
        hash
    })
}
