//! What is let happen in a run, and which rule is left out.

use std::time::Duration;

use crate::{
    grant::Grant,
    network::{Body, Packet, Token},
    types::boot_time::BootTime,
};

/// The time of the model. The store's clock shows it as it is.
pub(crate) type Tick = u8;

/// The size of a run. Everything that is bounded here is tried in every order and at every time.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What the tasks of each client want, in the order of its local queue.
    pub clients: &'static [&'static [Task]],
    /// What bad happens in one run, at any time or never: each as often as it is listed.
    pub mishaps: &'static [Mishap],
    /// The last tick. Every run starts at tick 1, so that a lease of two ticks expires at tick 3.
    pub until: u8,
    /// How many fences are reserved at once.
    pub block: u8,
    /// How many turns may start once it is known that somebody waits elsewhere.
    pub turns_when_contended: u8,
    /// Whether there is a failover guard.
    pub guarded: bool,
    /// How many ticks the clock of a new master is behind.
    pub behind: u8,
    /// The rule that is left out or done wrong, by the name that the code asks for. The checks must notice each.
    pub weakened: &'static str,
}

/// A task that wants one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// A replica becomes the master, and lacks all since some time.
    Failover,
    /// The key's slot goes to another server of a cluster.
    Move,
}

impl Scenario {
    /// Clients that want these tasks until the last tick, and what bad may happen.
    pub const fn of(clients: &'static [&'static [Task]], mishaps: &'static [Mishap], until: u8) -> Self {
        let (block, turns_when_contended, guarded, behind, weakened) = (2, 1, false, 0, "");
        Self { clients, mishaps, until, block, turns_when_contended, guarded, behind, weakened }
    }

    pub(crate) fn is(&self, weakened: &str) -> bool {
        self.weakened == weakened
    }

    /// When a "yes" ends that was asked for at `asked`.
    pub(crate) fn deadline(&self, asked: BootTime, ttl: Tick) -> BootTime {
        let ttl = ticks(ttl);
        if self.is("a_deadline_without_margin") { asked.after(ttl) } else { Grant { asked, ttl }.deadline() }
    }

    /// How many fences a grant comes with. With a guard it has one in any case, by which the lock comes back.
    pub(crate) fn fences_for(&self, task: Task) -> u8 {
        if task.fenced { self.block } else { u8::from(self.guarded) }
    }

    pub(crate) fn longest_ttl(&self) -> Tick {
        self.clients.iter().copied().flatten().map(|task| task.ttl).max().unwrap_or(1)
    }
}

/// A time of so many ticks, as the rules take it.
pub(crate) fn ticks(count: Tick) -> Duration {
    Duration::from_millis(100 * u64::from(count))
}

/// One step of a client, or of the store for a client: what it can see besides its own state, and what it sends.
pub(crate) struct Step<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) now: Tick,
    pub(crate) client: u8,
    /// Which life of the server this is.
    pub(crate) life: u8,
    pub(crate) crashed: Option<u8>,
    pub(crate) sent: Vec<Packet>,
    /// For the checks: the fence of the last turn that looked at its fence, and the property that the step breaks.
    pub(crate) last_fence: u64,
    pub(crate) broken: Option<&'static str>,
}

impl Step<'_> {
    pub(crate) fn is(&self, weakened: &str) -> bool {
        self.scenario.is(weakened)
    }

    pub(crate) fn token(&self, number: u8) -> Token {
        Token { client: self.client, number }
    }

    pub(crate) fn send(&mut self, token: Token, body: Body) {
        let packet = Packet { token, sent: self.now, body, astray: false, life: 0 };
        self.sent.push(if packet.is_message() { Packet { life: self.life, ..packet } } else { packet });
    }

    /// What the client's clock shows. The first client's is 1% slow: that is one multiplication and no state.
    pub(crate) fn moment(&self, tick: Tick) -> BootTime {
        let percent = if self.client == 0 { 99 } else { 100 };
        BootTime::START.after(ticks(tick) * percent / 100)
    }

    /// The moment from which a "yes" counts that was asked for at `sent` and arrives now.
    pub(crate) fn counts_from(&self, sent: Tick) -> BootTime {
        self.moment(if self.is("a_deadline_from_the_reply") { self.now } else { sent })
    }
}
