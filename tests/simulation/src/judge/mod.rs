//! Sees everything that users and the master see, and knows what must never be.

mod look;
mod store;
mod users;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Weak,
};

use dlock_runtime::Guard;

pub(crate) use self::store::Ran;
use crate::{
    kind::table,
    plan::{MICROSECOND, Time},
    server::EPOCH,
    sim::Sim,
};

table! {
    /// What must never be.
    pub Rule {
        Exclusion: "Two hold the lock by their own clocks.",
        Closed: "A server granted a lock, or handed it over, while its failover guard keeps it closed.",
        Covered: "Somebody holds the lock by its own clock that the store gave to another, or gives up earlier.",
        Fences: "The fence of a turn is not above the one before.",
        Returned: "A lock says less than a fence that was used.",
        OwnToken: "A lock was ended or renewed by somebody else's hand.",
        Listening: "The lock was handed to somebody who cannot hear of it.",
        Order: "The lock was given past somebody who waited for it longer, and listens; or a process does not keep its place.",
        LocalOrder: "A task got the lock before another of its process that waited for it longer.",
        Orphan: "A lock outlived its use for longer than a repair takes.",
        Inspected: "Somebody who looks at a lock is told something that is not so.",
        Free: "The lock is free, and somebody waits for it.",
        Starved: "Somebody waits for ever.",
        Ahead: "The last fence runs away from the time.",
        Rest: "A process does not come to rest.",
        Residue: "Something is left behind at the end.",
        Deaf: "A process does not listen, though nothing keeps it from that.",
        Commands: "One request asks too often.",
        Failure: "A user was told of a failure, and nothing had failed.",
        Script: "A script failed.",
        Panic: "Something panicked.",
    }
}

/// Which rule was broken when, in nanoseconds of true time, and how.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    pub at: u64,
    pub text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    keys: Vec<Key>,
    /// How many requests there were.
    requests: u64,
    /// Which process a token belongs to, by the identity in it.
    identities: BTreeMap<String, u32>,
    /// When a token asked first, how often it did since, and how late a command of it was carried out: perhaps after its release.
    asked: BTreeMap<String, (Time, u64, Time)>,
    died: BTreeMap<u32, Time>,
    /// Since when a process does not listen; until now if it does.
    deaf: BTreeMap<u32, Time>,
    /// When data was lost or a clock stepped: until then all leases are void, and some time after that hardly anything is promised.
    disaster: Option<Time>,
    pub(crate) lenient: Time,
    /// When the fence clock was lost while it was ahead of the time. Leases from before use higher fences for a while.
    fences_lost: Option<Time>,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    only: Option<Rule>,
    pub(crate) violation: Option<Violation>,
}

impl Verdict {
    /// Only the first one counts: what comes after may follow from it.
    fn accuse(&mut self, rule: Rule, at: Time, text: String) {
        if self.only.is_none_or(|only| only == rule) {
            self.violation.get_or_insert(Violation { rule, at, text });
        }
    }
}

#[derive(Debug, Default)]
struct Key {
    lock: Option<Lock>,
    /// Since when it is free.
    free: Time,
    holders: Vec<Holder>,
    waits: Vec<Wait>,
    /// When a process stopped to use it.
    left: BTreeMap<u32, Time>,
    last_fence: u64,
}

#[derive(Clone, Debug)]
struct Lock {
    token: String,
    life: Option<u32>,
    since: Time,
    /// When its process hears that it was handed over.
    told: Time,
    /// What it takes its process longer to give it back, as it was taken by a command that was late.
    late: Time,
    /// The last fence that is reserved for it.
    last: u64,
    /// The last millisecond of the server's clock in which it exists.
    expires: u64,
}

/// A request for a lock, and the turn that comes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) key: usize,
    pub(crate) life: u32,
    /// When it was asked for.
    pub(crate) since: Time,
    number: u64,
}

#[derive(Clone, Debug)]
struct Holder {
    turn: Turn,
    guard: Option<Weak<Guard>>,
    /// Until when a client without a fence holds it. A call of a function with a guard cannot be asked, and speaks for itself alone.
    ends: Option<Time>,
    is_excused: bool,
}

#[derive(Debug)]
struct Wait {
    turn: Turn,
    until: Time,
    queues: bool,
    /// Which places in the store's queue its process took since, undisturbed, if it waits for longer than its other tasks.
    places: BTreeSet<String>,
    /// Another of its process that asked later got the lock.
    overtaken: Option<Time>,
}

impl Judge {
    pub(crate) fn new(keys: usize, only: Option<Rule>) -> Self {
        let verdict = Verdict { only, violation: None };
        Self { keys: (0..keys).map(|_| Key::default()).collect(), verdict, ..Self::default() }
    }

    pub(crate) fn accuse(&mut self, rule: Rule, at: Time, text: String) {
        self.verdict.accuse(rule, at, text);
    }

    /// Fences may begin anew.
    pub(crate) fn forget_fences(&mut self, now: Time) {
        self.fences_lost = Some(now);
        self.keys.iter_mut().for_each(|key| key.last_fence = 0);
    }

    pub(crate) fn died(&mut self, life: u32, now: Time) {
        self.died.insert(life, now);
        for key in &mut self.keys {
            key.holders.retain(|holder| holder.turn.life != life);
            key.waits.retain(|wait| wait.turn.life != life);
        }
    }
}

impl Key {
    fn expire(&mut self, now: Time, step: i64) {
        if let Some(gone) = self.lock.as_ref().map(|lock| true_end(lock.expires, step)).filter(|gone| *gone <= now) {
            (self.lock, self.free) = (None, gone);
        }
    }

    fn holder(&mut self, turn: Turn) -> Option<&mut Holder> {
        self.holders.iter_mut().find(|holder| holder.turn.number == turn.number)
    }
}

/// When a key that exists to the end of that millisecond is gone, in true time.
fn true_end(expires: u64, step: i64) -> Time {
    let since_epoch = expires.saturating_add(1).saturating_mul(1_000).saturating_sub(EPOCH.saturating_add_signed(step));
    since_epoch.saturating_mul(MICROSECOND)
}

impl Sim {
    fn judged<T>(&self, key: usize, work: impl FnOnce(&mut Key) -> T) -> T {
        work(&mut self.judge.borrow_mut().keys[key])
    }
}
