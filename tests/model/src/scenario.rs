//! What is let happen in a run, and which rule is left out.

use crate::{
    clock::{BootTime, Tick, ticks},
    grant::Grant,
};

/// The size of a run. Everything that is bounded here is tried in every order and at every time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What the clients want.
    pub clients: Vec<Party>,
    /// The last tick. Every run starts at tick 1.
    pub horizon: u8,
    /// How many fences are reserved at once.
    pub block: u8,
    /// How many fences the time is worth in a tick.
    pub fences_per_tick: u8,
    /// For how many ticks a seat in the queue counts after it was asked for.
    pub seat: u8,
    /// After so many ticks without being free, the key is left free by a release.
    pub free_every: u8,
    /// The clients from this one on listen at a replica when the run starts.
    pub at_replica: usize,
    /// How many turns may start once it is known that somebody waits elsewhere.
    pub turns_when_wanted: u8,
    /// How often something bad happens in one run.
    pub mishaps: Mishaps,
    /// The rule that is left out.
    pub weakened: Option<Weakened>,
}

/// What a client wants.
#[derive(Clone, Debug)]
pub struct Party {
    /// How fast its clock runs, in percent of the right rate.
    pub rate: u8,
    /// Its tasks, in the order of its local gate.
    pub tasks: Vec<Task>,
}

/// A task that wants one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The TTL it asks for, in ticks.
    pub ttl: u8,
    /// Whether its lease is renewed while it runs.
    pub renew: bool,
}

/// How often something bad happens in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mishaps {
    /// Clients that crash.
    pub crashes: u8,
    /// Requests that are cancelled or time out.
    pub cancels: u8,
    /// Packets that are lost.
    pub losses: u8,
    /// Packets that leave the order of their connection, and arrive at any time.
    pub strays: u8,
    /// Messages that arrive once more.
    pub repeats: u8,
    /// Times that a client of another kind takes the free key, for two ticks.
    pub foreign: u8,
    /// Times that the fence clock is lost.
    pub clocks: u8,
    /// Times that the replica becomes the master, with all writes or without the last one.
    pub promotions: u8,
}

/// A rule that is left out or done wrong. The checks must notice each.
#[allow(missing_docs)] // The names say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakened {
    DeadlineFromReply,
    DeadlineFromMessage,
    DeadlineFromLastQuestion,
    StaleMessageBelieved,
    ReleaseWithoutToken,
    RenewWithoutToken,
    RenewalShortens,
    HandedToTheDead,
    PublishedBeforeLooking,
    QueueJumped,
    NotMarked,
    MarkLostByRefill,
    MarkLostByHandOver,
    ForeignMarked,
    LifeIgnored,
    ClockFromNothing,
    ShorteningUncapped,
    CappedLeaseKept,
    CancelForgotten,
    ReleasedOnce,
    SleeperWithoutDeadline,
    NoMargin,
    MarkOverwritten,
}

impl Scenario {
    /// Clients that want these tasks, of which the first has a clock that is 1% slow, and nothing bad.
    pub fn of(clients: &[&[Task]]) -> Self {
        let rates = [99].into_iter().chain(std::iter::repeat(100));
        Self {
            clients: clients.iter().zip(rates).map(|(tasks, rate)| Party { rate, tasks: tasks.to_vec() }).collect(),
            horizon: 5,
            block: 2,
            fences_per_tick: 1,
            seat: 2,
            free_every: u8::MAX,
            at_replica: usize::MAX,
            turns_when_wanted: 1,
            mishaps: Mishaps::default(),
            weakened: None,
        }
    }

    /// The same with another last tick.
    #[must_use]
    pub fn until(self, horizon: u8) -> Self {
        Self { horizon, ..self }
    }

    /// The same with mishaps.
    #[must_use]
    pub fn with(self, mishaps: Mishaps) -> Self {
        Self { mishaps, ..self }
    }

    /// The same without one rule.
    #[must_use]
    pub fn without(self, rule: Weakened) -> Self {
        Self { weakened: Some(rule), ..self }
    }

    pub(crate) fn moment(&self, client: u8, tick: Tick) -> BootTime {
        BootTime::shown(tick, self.clients[usize::from(client)].rate)
    }

    /// When a "yes" ends that was asked for at `asked`.
    pub(crate) fn deadline(&self, asked: BootTime, ttl: Tick) -> BootTime {
        let ttl = ticks(ttl);
        if self.weakened == Some(Weakened::NoMargin) { asked.after(ttl) } else { Grant { asked, ttl }.deadline() }
    }

    pub(crate) fn longest_ttl(&self) -> Tick {
        self.clients.iter().flat_map(|party| &party.tasks).map(|task| task.ttl).max().unwrap_or(1)
    }
}
