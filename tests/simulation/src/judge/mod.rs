//! Sees everything that users and the master see, and knows what must never be.

mod look;
mod store;
mod users;

use std::{collections::BTreeMap, sync::Weak};

use dlock_runtime::Guard;

pub(crate) use self::store::Ran;
use crate::{
    plan::{MICROSECOND, Time},
    server::EPOCH,
    sim::Sim,
};

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Two hold the lock by their own clocks.
    Exclusion,
    /// Somebody holds the lock by its own clock that the store gave to another, or gives up earlier.
    Covered,
    /// The fence of a turn is not above the one before.
    Fences,
    /// A lock says less than a fence that was used.
    Returned,
    /// A lock was ended or renewed by somebody else's hand.
    OwnToken,
    /// The lock was handed to somebody who cannot hear of it.
    Listening,
    /// The lock was given past somebody who waited for it longer, and listens.
    Order,
    /// A task got the lock before another of its process that waited for it longer.
    LocalOrder,
    /// A lock outlived its use for longer than a repair takes.
    Orphan,
    /// Somebody who looks at a lock is told something that is not so.
    Inspected,
    /// The lock is free, and somebody waits for it.
    Free,
    /// Somebody waits for ever.
    Starved,
    /// The last fence runs away from the time.
    Ahead,
    /// A process does not come to rest.
    Rest,
    /// Something is left behind at the end.
    Residue,
    /// A process does not listen, though nothing keeps it from that.
    Deaf,
    /// One request asks too often.
    Commands,
    /// A user was told of a failure, and nothing had failed.
    Failure,
    /// A script failed.
    Script,
    /// Something panicked.
    Panic,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which rule was broken.
    pub rule: Rule,
    /// When, in nanoseconds of true time.
    pub at: u64,
    /// How.
    pub text: String,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    keys: Vec<Key>,
    number: u64,
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
    only: Option<Rule>,
    pub(crate) violation: Option<Violation>,
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
    /// Whether it has fences. One without may be taken for the one before, if a late command gets it once more.
    is_fenced: bool,
    /// The last fence that is reserved for it.
    last: u64,
    /// The last millisecond of the server's clock in which it exists.
    expires: u64,
}

#[derive(Debug)]
struct Holder {
    number: u64,
    /// The request that it began for.
    wait: u64,
    life: u32,
    guard: Option<Weak<Guard>>,
    /// Until when a foreign client holds it. A call of an annotated function has no guard to be asked, and speaks for itself alone.
    ends: Time,
    is_foreign: bool,
    is_excused: bool,
}

#[derive(Debug)]
struct Wait {
    number: u64,
    life: u32,
    since: Time,
    until: Time,
    queues: bool,
    /// Another of its process that asked later got the lock.
    overtaken: Option<Time>,
}

impl Judge {
    pub(crate) fn new(keys: usize, only: Option<Rule>) -> Self {
        Self { keys: (0..keys).map(|_| Key::default()).collect(), only, ..Self::default() }
    }

    /// Only the first one counts: what comes after may follow from it.
    pub(crate) fn accuse(&mut self, rule: Rule, at: Time, text: String) {
        if self.only.is_none_or(|only| only == rule) {
            self.violation.get_or_insert(Violation { rule, at, text });
        }
    }

    /// Fences may begin anew.
    pub(crate) fn forget_fences(&mut self, now: Time) {
        self.fences_lost = Some(now);
        self.keys.iter_mut().for_each(|key| key.last_fence = 0);
    }

    pub(crate) fn died(&mut self, life: u32, now: Time) {
        self.died.insert(life, now);
        for key in &mut self.keys {
            key.holders.retain(|holder| holder.life != life);
            key.waits.retain(|wait| wait.life != life);
        }
    }
}

impl Key {
    fn expire(&mut self, now: Time, step: i64) {
        if let Some(gone) = self.lock.as_ref().map(|lock| true_end(lock.expires, step)).filter(|gone| *gone <= now) {
            self.lock = None;
            self.free = gone;
        }
    }
}

/// When a key that exists to the end of that millisecond is gone, in true time.
fn true_end(expires: u64, step: i64) -> Time {
    let since_epoch = expires.saturating_add(1).saturating_mul(1_000).saturating_sub(EPOCH.saturating_add_signed(step));
    since_epoch.saturating_mul(MICROSECOND)
}

impl Sim {
    fn judged<T>(&self, key: usize, work: impl FnOnce(&mut Key, &mut u64) -> T) -> T {
        let judge = &mut *self.judge.borrow_mut();
        work(&mut judge.keys[key], &mut judge.number)
    }
}
