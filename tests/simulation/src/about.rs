//! What a request is about, as the server sees it before it runs: which script, which locks, and who waits for them.

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
