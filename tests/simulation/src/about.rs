//! What a request is about, as the server sees it before it runs: which script, which locks, and who waits for them.

use std::rc::Rc;

use crate::server::Servers;

/// A script as a server knows it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) kind: ScriptKind,
    pub(crate) hash: Vec<u8>,
    /// As it was sent; and that, or what was made of it on purpose, as Lua read it.
    text: Vec<u8>,
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

/// What stands in a script of each kind, and in no other.
const MARKS: [(&str, ScriptKind); 6] = [
    ("ARGV[7] 1 if it asked before", ScriptKind::Acquire),
    ("-- Starts a lease anew", ScriptKind::Renew),
    ("-- Gives back whatever", ScriptKind::Release),
    ("-- Takes locks that are probably free", ScriptKind::AcquireMany),
    ("-- Gives locks back for which nobody", ScriptKind::ReleaseMany),
    ("-- Says who holds a lock", ScriptKind::Inspect),
];

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
    pub(crate) fn counts(&self, millis: u64) -> bool {
        self.counts >= millis as f64
    }
}

impl Servers {
    /// The script of a request, if it is one that runs one.
    pub(crate) fn script(&mut self, words: &[Vec<u8>]) -> Option<Rc<Script>> {
        match &*words[0] {
            b"EVALSHA" => self.texts.get(&words[1]).cloned(),
            b"EVAL" => {
                if let Some(script) = self.texts.values().find(|script| script.text == words[1]) {
                    return Some(Rc::clone(script));
                }
                let text = String::from_utf8_lossy(&words[1]);
                let kind = MARKS.iter().find(|(mark, _)| text.contains(mark)).map_or(ScriptKind::Other, |mark| mark.1);
                let spoilt = self.weakness.and_then(|weakness| weakness.spoil(&text));
                self.weakened += u64::from(spoilt.is_some());
                let function = self.host.load(spoilt.as_deref().unwrap_or(&text).as_bytes());
                let hash = redis::Script::new(&text).get_hash().as_bytes().to_vec();
                let script = Rc::new(Script { kind, hash: hash.clone(), text: words[1].clone(), function });
                self.texts.insert(hash, Rc::clone(&script));
                Some(script)
            }
            _ => None,
        }
    }

    /// What kind of a script a request runs.
    pub(crate) fn kind(&mut self, words: &[Vec<u8>]) -> Option<ScriptKind> {
        let kind = self.script(words)?.kind;
        let may_shorten = || words.get(2 + keys_of(words)? + 3).map(|word| word == b"1");
        let shortens = kind == ScriptKind::Renew && may_shorten() == Some(true);
        Some(if shortens { ScriptKind::Shorten } else { kind })
    }

    /// The locks that a request is about.
    pub(crate) fn about(&self, words: &[Vec<u8>], kind: Option<ScriptKind>) -> Vec<About> {
        let keys = keys_of(words).unwrap_or(0);
        // Where the lock stands, and where the token, with which what is set begins, too. Of many locks of a cluster there are no keys.
        let places: Vec<(usize, usize)> = match kind {
            None => vec![(1, 2)],
            Some(ScriptKind::AcquireMany) if keys == 0 => (3..words.len()).step_by(7).map(|at| (at, at + 4)).collect(),
            Some(ScriptKind::ReleaseMany) if keys == 0 => (3..words.len()).step_by(2).map(|at| (at, at + 1)).collect(),
            Some(ScriptKind::AcquireMany) => {
                // The fence clock comes between the first lock and its queue.
                let lock = |number: usize| if number == 0 { 3 } else { 4 + 2 * number };
                (0..keys / 2).map(|number| (lock(number), 3 + keys + 2 + 3 * number)).collect()
            }
            Some(ScriptKind::ReleaseMany) => (3..3 + keys).map(|at| (at, at + keys)).collect(),
            Some(_) => vec![(3, 3 + keys)],
        };
        let word = |place: usize| words.get(place).map(|word| String::from_utf8_lossy(word)).unwrap_or_default();
        let about = |(lock, by): (usize, usize)| {
            let (lock, by) = (word(lock).into_owned(), word(by).split(' ').next().unwrap_or_default().to_owned());
            About { seats: self.seats(&lock), lock, by }
        };
        places.into_iter().map(about).collect()
    }
}

/// How many keys a script is told of.
pub(crate) fn keys_of(words: &[Vec<u8>]) -> Option<usize> {
    std::str::from_utf8(words.get(2)?).ok()?.parse().ok()
}
