//! Tasks of one process that want the same lock stand in line here, first come, first served.
//!
//! The place at the head of a line is the right to act for this process: to ask the store, and to use the lease that
//! the process got. It goes from task to task, with the lease as long as that is good for another turn. So a process is
//! one waiter in the store however many of its tasks wait, and a turn costs no round trip.
//!
//! **Invariant:** as long as a line is known here, exactly one place of it exists, or its lease is parked. A place is
//! given up by being passed on or dropped, also by a future that was cancelled, and goes to the next task that is still
//! there; what nobody wants is left to whoever must give it back to the store.

mod baton;
mod line;
mod waiters;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque, hash_map::Entry},
    time::Duration,
};

use tokio::sync::oneshot;

use self::line::{Line, SentAway};
pub(crate) use self::{baton::Place, line::Known};
use crate::{
    local::{
        lease::{Lease, Share},
        pending::Ask,
        verdict::Verdict,
    },
    protocol::token::Ticket,
    sync::{Arc, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError, RandomState},
    types::clock::Moment,
};

/// So that tasks which want different locks seldom meet.
const SHARDS: usize = 16;

/// How many leases are remembered of which a late message may tell. It would make the keeper release what a guard is about
/// to release, who would take that for a loss.
const TAKEN: usize = 256;

/// How much longer those wait whose time is over while nothing is known, for the answer to the one of them who asks.
const GRACE: Duration = Duration::from_millis(100);

/// The lines of one runtime, by the names of the locks.
pub(crate) struct Gates {
    shards: [Mutex<Shard>; SHARDS],
    rules: Rules,
    /// The last leases that were waited for.
    taken: Mutex<VecDeque<u64>>,
    /// How many tasks stand in line.
    waiters: AtomicUsize,
    /// When somebody in line runs out of time, at the earliest.
    patrol_at: AtomicU64,
    /// Takes what a place that was dropped leaves to the store.
    left: Box<dyn Fn(Left) + Send + Sync>,
    /// Tells whoever is on patrol that it is to be earlier.
    call: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Shard {
    lines: HashMap<Arc<str>, Line, RandomState>,
    /// When the patrol must come to which line. Some are of lines that have ended, or had an earlier one since.
    alarms: BinaryHeap<Reverse<(Moment, Arc<str>)>>,
    /// No lease is parked any more.
    closing: bool,
}

/// How the lines are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) share: Share,
    /// How long an idle lease is kept.
    pub(crate) linger: Duration,
    pub(crate) waiters_per_key: usize,
    pub(crate) waiters: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { share: Share::default(), linger: Duration::ZERO, waiters_per_key: 10_000, waiters: 100_000 }
    }
}

/// What came of entering a line.
pub(crate) enum Entrance<'a> {
    Head(Place),
    /// There are others before.
    Queue(Turnstile<'a>),
    /// There are too many others before.
    Full,
}

/// A task's wait for its place.
pub(crate) struct Turnstile<'a> {
    gates: &'a Gates,
    turn: oneshot::Receiver<Pass>,
}

/// How a task's wait ended.
pub(crate) enum Pass {
    /// Its turn has come.
    Place(Place),
    /// Its time is over.
    Over(Over),
    /// Nobody waits any more: this runtime was shut down.
    Closed,
}

/// What is known about the lock when a task's time is over.
#[derive(Clone)]
pub(crate) enum Over {
    /// A turn of this process is under way on this lease.
    HeldHere(Arc<Lease>),
    /// The store said so not long ago.
    Known(Verdict),
    /// Nothing. It shall ask, and say what the answer was: others wait for that.
    Ask,
    /// Nothing, and there was no answer in time.
    Unknown,
}

/// What is left to the store.
pub(crate) enum Left {
    Lease(Arc<Lease>),
    Ask(Arc<Ask>),
}

impl Gates {
    pub(crate) fn new(
        rules: Rules,
        left: impl Fn(Left) + Send + Sync + 'static,
        call: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            rules,
            taken: Mutex::default(),
            waiters: AtomicUsize::new(0),
            patrol_at: AtomicU64::new(Moment::NEVER.to_bits()),
            left: Box::new(left),
            call: Box::new(call),
        }
    }

    /// How long an idle lease is kept.
    pub(crate) fn linger(&self) -> Duration {
        self.rules.linger
    }

    /// Enters the line for the lock `name`, to stand there at most `until` then.
    pub(crate) fn enter<'a>(self: &'a Arc<Self>, name: &Arc<str>, until: Moment) -> Entrance<'a> {
        // Dropped after the lock is: what wakes and what is dropped by that is not ours.
        let mut sent_away = SentAway::default();
        let mut shard = self.shard(name);
        if shard.closing {
            return Entrance::Head(Place::aside(self, name));
        }
        let shard_now = &mut *shard;
        match shard_now.lines.entry(Arc::clone(name)) {
            Entry::Vacant(free) => {
                free.insert(Line::default());
                Entrance::Head(Place::new(self, name, None))
            }
            Entry::Occupied(mut line) => {
                let line = line.get_mut();
                if line.parked.take().is_some() {
                    return Entrance::Head(Place::new(self, name, line.lease.clone()));
                }
                if line.waiting() >= self.rules.waiters_per_key
                    && let Some(crowd) = &mut line.crowd
                {
                    crowd.queue.sweep(&mut sent_away.gone);
                }
                if line.waiting() >= self.rules.waiters_per_key || !self.count_in() {
                    return Entrance::Full;
                }
                let turn = line.join(until, &mut sent_away);
                let calls = line.raise_alarm(until);
                if calls {
                    shard_now.raise_alarm(name, until);
                }
                drop(shard);
                sent_away.tell();
                if calls {
                    self.call_patrol(until);
                }
                Entrance::Queue(Turnstile { gates: self, turn })
            }
        }
    }

    /// Enters if nobody is there; a parked lease is as good.
    pub(crate) fn enter_first(self: &Arc<Self>, name: &Arc<str>) -> Option<Place> {
        let taken = self.shard(name).lines.get(name).is_some_and(|line| line.parked.is_none());
        if taken {
            return None;
        }
        match self.enter(name, Moment::START) {
            Entrance::Head(place) => Some(place),
            // Somebody came first in this moment.
            Entrance::Queue(_) | Entrance::Full => None,
        }
    }

    /// A place in no line, for a request that does not wait. What it gets is used for one turn.
    pub(crate) fn aside(self: &Arc<Self>, name: &Arc<str>) -> Place {
        Place::aside(self, name)
    }

    /// How many tasks stand in line behind the head.
    pub(crate) fn waiting(&self, name: &str) -> usize {
        let shard = self.shard(name);
        let crowd = shard.lines.get(name).and_then(|line| line.crowd.as_ref());
        crowd.map_or(0, |crowd| crowd.queue.present().count())
    }

    /// The lease on which a turn of this process is under way.
    pub(crate) fn held_here(&self, name: &str, now: Moment) -> Option<Arc<Lease>> {
        let shard = self.shard(name);
        let lease = shard.lines.get(name)?.lease.as_ref().filter(|lease| lease.is_in_use(now));
        lease.cloned()
    }

    /// The store has answered somebody, who did not get the lock.
    pub(crate) fn learn(&self, name: &str, known: Known) {
        let mut sent_away = SentAway::default();
        if let Some(line) = self.shard(name).lines.get_mut(name) {
            line.learn(known, &mut sent_away);
        }
        sent_away.tell();
    }

    /// A message says that the lock was handed to `ticket` at `since`, by the store's clock. False if that is none of ours, any more.
    pub(crate) fn granted(&self, ticket: &Ticket, fence: u64, waiting: u64, since: u64) -> bool {
        let shard = self.shard(&ticket.name);
        let line = shard.lines.get(&ticket.name);
        let ask = line.and_then(|line| line.ask.clone()).filter(|ask| ask.claim.ticket.token == ticket.token);
        let held = line.and_then(|line| line.lease.as_ref()).is_some_and(|lease| lease.id() == ticket.token.number);
        drop(shard);
        match ask {
            Some(ask) => {
                ask.granted(fence, waiting, since);
                true
            }
            // The reply to a question was here first.
            None => held || lock(&self.taken).contains(&ticket.token.number),
        }
    }

    /// The lease `id` was waited for, so that a message may tell of it yet.
    fn note_taken(&self, id: u64) {
        let mut taken = lock(&self.taken);
        if taken.len() >= TAKEN {
            taken.pop_front();
        }
        taken.push_back(id);
    }

    /// A message says that the lock is free for `ticket`.
    pub(crate) fn free(&self, ticket: &Ticket) {
        let ask = self.shard(&ticket.name).lines.get(&ticket.name).and_then(|line| line.ask.clone());
        if let Some(ask) = ask.filter(|ask| ask.claim.ticket.token == ticket.token) {
            ask.free();
        }
    }

    /// A message says that somebody waits for what `ticket` holds. An idle lease is to be given back.
    #[must_use]
    pub(crate) fn wanted(&self, ticket: &Ticket, now: Moment) -> Option<Arc<Lease>> {
        let mut shard = self.shard(&ticket.name);
        let line = shard.lines.get_mut(&ticket.name)?;
        // It can be here before the news that we have the lock.
        if let Some(ask) = line.ask.as_ref().filter(|ask| ask.claim.ticket.token == ticket.token) {
            ask.want();
        }
        let lease = line.lease.as_ref().filter(|lease| lease.ticket.token == ticket.token)?;
        lease.want(now);
        line.parked?;
        shard.lines.remove(&ticket.name)?.lease
    }

    /// Messages may have been missed: every request asks again.
    pub(crate) fn stir(&self) {
        for shard in &self.shards {
            let asks = lock(shard).lines.values().filter_map(|line| line.ask.clone()).collect::<Vec<_>>();
            asks.iter().for_each(|ask| ask.stir());
        }
    }

    /// Until when the lease is parked, if it is.
    pub(crate) fn parked_until(&self, lease: &Arc<Lease>) -> Option<Moment> {
        self.shard(&lease.ticket.name).lines.get(&lease.ticket.name).filter(|line| line.has(lease))?.parked
    }

    /// Takes out a lease that is parked.
    #[must_use]
    pub(crate) fn unpark(&self, lease: &Arc<Lease>) -> Option<Arc<Lease>> {
        let mut shard = self.shard(&lease.ticket.name);
        let line = shard.lines.get(&lease.ticket.name).filter(|line| line.has(lease))?;
        line.parked?;
        shard.lines.remove(&lease.ticket.name)?.lease
    }

    /// Takes out all that is parked, and sends away who stands in line. Nothing is parked from now on, nobody waits.
    #[must_use]
    pub(crate) fn close(&self) -> Vec<Arc<Lease>> {
        let mut parked = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.closing = true;
            let mut sent_away = SentAway::default();
            shard.lines.values_mut().for_each(|line| line.close(&mut sent_away));
            let idle = shard.lines.extract_if(|_, line| line.parked.is_some());
            parked.extend(idle.filter_map(|(_, line)| line.lease));
            drop(shard);
            sent_away.tell();
        }
        self.stir();
        parked
    }

    /// When somebody in line runs out of time, at the earliest.
    pub(crate) fn patrol_at(&self) -> Moment {
        Moment::from_bits(self.patrol_at.load(Ordering::SeqCst))
    }

    /// Sends away who is out of time.
    pub(crate) fn patrol(&self, now: Moment) {
        // Who joins from here on calls again, or is seen below.
        self.patrol_at.store(Moment::NEVER.to_bits(), Ordering::SeqCst);
        let mut next = Moment::NEVER;
        for shard in &self.shards {
            let mut sent_away = SentAway::default();
            next = lock(shard).patrol(now, &mut sent_away).min(next);
            sent_away.tell();
        }
        self.patrol_at.fetch_min(next.to_bits(), Ordering::SeqCst);
    }

    fn call_patrol(&self, until: Moment) {
        let bits = until.to_bits();
        if bits < self.patrol_at.load(Ordering::SeqCst) && bits < self.patrol_at.fetch_min(bits, Ordering::SeqCst) {
            (self.call)();
        }
    }

    fn count_in(&self) -> bool {
        let in_bounds = self.waiters.fetch_add(1, Ordering::Relaxed) < self.rules.waiters;
        if !in_bounds {
            self.waiters.fetch_sub(1, Ordering::Relaxed);
        }
        in_bounds
    }

    fn shard(&self, name: &str) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard_of(name)])
    }
}

impl Shard {
    /// The patrol must come to the line `name` at `until`, and not only later.
    fn raise_alarm(&mut self, name: &Arc<str>, until: Moment) {
        if self.alarms.len() <= 2 * self.lines.len() + 64 {
            self.alarms.push(Reverse((until, Arc::clone(name))));
            return;
        }
        let alarms = self.lines.iter().filter_map(|(name, line)| {
            let alarm = line.crowd.as_ref()?.alarm;
            (alarm < Moment::NEVER).then(|| Reverse((alarm, Arc::clone(name))))
        });
        self.alarms = alarms.collect();
    }

    /// Sends away who is out of time. Returns when the next one is.
    fn patrol(&mut self, now: Moment, sent_away: &mut SentAway) -> Moment {
        while let Some(Reverse((at, _))) = self.alarms.peek() {
            if *at > now {
                return *at;
            }
            let Some(Reverse((at, name))) = self.alarms.pop() else { break };
            let Some(line) = self.lines.get_mut(&name) else { continue };
            if line.crowd.as_ref().is_none_or(|crowd| crowd.alarm != at) {
                continue;
            }
            let next = line.send_late_away(now, now.after(GRACE), sent_away);
            if let Some(crowd) = &mut line.crowd {
                crowd.alarm = next;
            }
            if next < Moment::NEVER {
                self.alarms.push(Reverse((next, name)));
            }
        }
        Moment::NEVER
    }
}

/// Mixes the whole name: names may differ anywhere. The map hashes in earnest.
fn shard_of(name: &str) -> usize {
    let mix = |mix: u64, part: u64| (mix.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let mixed = words.iter().fold(name.len() as u64, |mixed, word| mix(mixed, u64::from_le_bytes(*word)));
    let mixed = rest.iter().fold(mixed, |mixed, &byte| mix(mixed, byte.into()));
    // The upper bits depend on all of it.
    (mixed >> 32) as usize % SHARDS
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Turnstile<'_> {
    /// Waits for the place, or until its time is over.
    ///
    /// # Cancel safety
    /// Dropping the turnstile leaves the line.
    pub(crate) async fn pass(&mut self) -> Pass {
        (&mut self.turn).await.unwrap_or(Pass::Closed)
    }
}

impl Drop for Turnstile<'_> {
    fn drop(&mut self) {
        self.gates.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
