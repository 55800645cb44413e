//! What is let happen in a run, and which rule is left out.

use std::time::Duration;

use crate::{grant::Grant, types::boot_time::BootTime};

/// The time of the model. The store's clock shows it as it is.
pub(crate) type Tick = u8;

/// How long a tick is on a clock that runs right.
const TICK: Duration = Duration::from_millis(100);

/// The size of a run. Everything that is bounded here is tried in every order and at every time.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What the tasks of each client want, in the order of its local queue.
    pub clients: Vec<Vec<Task>>,
    /// The last tick. Every run starts at tick 1, so that a lease of two ticks expires at tick 3.
    pub until: u8,
    /// How many fences are reserved at once.
    pub block: u8,
    /// How many fences the time is worth in a tick.
    pub fences_per_tick: u8,
    /// After so many ticks without being free, the key is left free by a release.
    pub free_every: u8,
    /// The clients from this one on listen at a replica when the run starts.
    pub at_replica: usize,
    /// How many turns may start once it is known that somebody waits elsewhere.
    pub turns_when_contended: u8,
    /// The quarantine of the failover guard, in ticks; without one the server grants at once.
    pub guard: Option<u8>,
    /// Whether the replica may stop to copy at any time before it is promoted, and how far its clock is behind then. Else it lacks the
    /// last write at most.
    pub lags: Option<u8>,
    /// What bad happens in one run, at any time or never: each as often as it is listed.
    pub mishaps: Vec<Mishap>,
    /// The rule that is left out or done wrong, by the name that the code asks for. The checks must notice each.
    pub weakened: &'static str,
}

/// A task that wants one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The TTL it asks for, in ticks.
    pub ttl: u8,
    /// Whether its lease is renewed while it runs.
    pub renew: bool,
    /// Whether it looks at its fence. Whoever does not takes a free lock by a plain command.
    pub fenced: bool,
}

/// Something bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// A client crashes.
    Crash,
    /// A request is cancelled or times out.
    Cancel,
    /// A packet is lost.
    Loss,
    /// A packet leaves the order of its connection, and arrives at any time.
    Stray,
    /// A message arrives once more.
    Repeat,
    /// A client of another kind takes the free key, for two ticks.
    Foreign,
    /// The fence clock is lost.
    LostClock,
    /// The replica becomes the master, with all writes or without the last one.
    Promotion,
}

impl Scenario {
    /// Clients that want these tasks until the last tick, and nothing bad.
    pub fn of(clients: &[&[Task]], until: u8) -> Self {
        Self {
            clients: clients.iter().map(|tasks| tasks.to_vec()).collect(),
            until,
            block: 2,
            fences_per_tick: 1,
            free_every: u8::MAX,
            at_replica: usize::MAX,
            turns_when_contended: 1,
            guard: None,
            lags: None,
            mishaps: Vec::new(),
            weakened: "",
        }
    }

    /// The same with mishaps.
    #[must_use]
    pub fn with(self, mishaps: &[Mishap]) -> Self {
        Self { mishaps: mishaps.to_vec(), ..self }
    }

    pub(crate) fn is(&self, weakened: &str) -> bool {
        self.weakened == weakened
    }

    /// What a client's clock shows. The first client's is 1% slow: that is one multiplication and no state.
    pub(crate) fn moment(&self, client: u8, tick: Tick) -> BootTime {
        let percent = if client == 0 { 99 } else { 100 };
        BootTime::START.after(ticks(tick) * percent / 100)
    }

    /// When a "yes" ends that was asked for at `asked`.
    pub(crate) fn deadline(&self, asked: BootTime, ttl: Tick) -> BootTime {
        let ttl = ticks(ttl);
        if self.is("a_deadline_without_margin") { asked.after(ttl) } else { Grant { asked, ttl }.deadline() }
    }

    pub(crate) fn time_as_fence(&self, now: Tick) -> u8 {
        now * self.fences_per_tick
    }

    /// The last of the fences that came with a grant, if a guard needs to know.
    pub(crate) fn last_of(&self, first: u8, fenced: bool) -> u8 {
        let count = if fenced { self.block } else { 1 };
        self.guard.map_or(0, |_| first + count - 1)
    }

    pub(crate) fn longest_ttl(&self) -> Tick {
        self.clients.iter().flatten().map(|task| task.ttl).max().unwrap_or(1)
    }
}

/// A time of so many ticks, as the rules take it.
pub(crate) fn ticks(count: Tick) -> Duration {
    TICK * u32::from(count)
}
