//! Tasks of one process that want the same lock stand in line here, first come, first served.
//!
//! The place at the head of a line is the right to act for this process: to ask the store, and to use the lease that
//! the process got. It goes from task to task, with the lease as long as that is good for another turn. So a process is
//! one waiter in the store however many of its tasks wait, and a turn costs no round trip.
//!
//! **Invariant:** as long as a line is known here, exactly one place of it exists, or its lease is parked. A place is
//! given up by being passed on or dropped, also by a future that was cancelled, and goes to the next task that is still
//! there; what nobody wants is left to whoever must give it back to the store.

mod place;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::Duration,
};

use tokio::sync::oneshot;

pub(crate) use self::place::Place;
use crate::{
    ask::Ask,
    clock::Moment,
    lease::{Lease, Share},
    sync::{Arc, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError, RandomState},
    ticket::Ticket,
};

/// So that tasks which want different locks seldom meet.
const SHARDS: usize = 16;

/// How many leases are remembered of which a late message may tell. It would make the keeper release what a guard is about
/// to release, who would take that for a loss.
const TAKEN: usize = 256;

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

#[derive(Default)]
struct Line {
    /// Those behind the head. Some may have gone.
    queue: VecDeque<Waiter>,
    /// What the head asks the store, to be found by messages.
    ask: Option<Arc<Ask>>,
    /// What the process has. Closed leases are not told of.
    lease: Option<Arc<Lease>>,
    /// Until when the lease is kept that nobody uses; then there is no head.
    parked: Option<Moment>,
}

/// A task in line.
struct Waiter {
    turn: oneshot::Sender<Place>,
    /// When it runs out of time.
    until: Moment,
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
    turn: oneshot::Receiver<Place>,
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
        let mut left = Vec::new();
        let mut shard = self.shard(name);
        if shard.closing {
            return Entrance::Head(Place::aside(self, name));
        }
        match shard.lines.entry(Arc::clone(name)) {
            Entry::Vacant(free) => {
                free.insert(Line::default());
                Entrance::Head(Place::new(self, name, None))
            }
            Entry::Occupied(mut line) => {
                let line = line.get_mut();
                if line.parked.take().is_some() {
                    return Entrance::Head(Place::new(self, name, line.lease.clone()));
                }
                if line.waiting() >= self.rules.waiters_per_key {
                    line.send_away(|waiter| waiter.turn.is_closed(), &mut left);
                }
                if line.waiting() >= self.rules.waiters_per_key || !self.count_in() {
                    return Entrance::Full;
                }
                let turn = line.join(until, &mut left);
                drop(shard);
                self.call_patrol(until);
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
        shard.lines.get(name).map_or(0, |line| line.queue.iter().filter(|waiter| !waiter.turn.is_closed()).count())
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
            let sent_away = shard.lines.values_mut().map(|line| std::mem::take(&mut line.queue)).collect::<Vec<_>>();
            let idle = shard.lines.extract_if(|_, line| line.parked.is_some());
            parked.extend(idle.filter_map(|(_, line)| line.lease));
            drop(shard);
            drop(sent_away);
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
            let mut sent_away = Vec::new();
            let mut shard = lock(shard);
            for line in shard.lines.values_mut() {
                line.send_away(|waiter| waiter.until <= now || waiter.turn.is_closed(), &mut sent_away);
                next = line.queue.iter().map(|waiter| waiter.until).fold(next, Moment::min);
            }
            drop(shard);
            drop(sent_away);
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
        // Names differ at their ends; the map hashes in earnest.
        let tail = name.bytes().rev().take(8).fold(0_usize, |mix, byte| mix.wrapping_mul(31).wrapping_add(byte.into()));
        lock(&self.shards[tail % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn join(&mut self, until: Moment, left: &mut Vec<Waiter>) -> oneshot::Receiver<Place> {
        // Those who left stay in the queue until it has doubled, so that leaving costs nothing.
        if self.queue.len() >= 32 && self.queue.len().is_power_of_two() {
            self.send_away(|waiter| waiter.turn.is_closed(), left);
        }
        let (turn, wait) = oneshot::channel();
        self.queue.push_back(Waiter { turn, until });
        wait
    }

    /// Takes out those who are to go, or have gone.
    fn send_away(&mut self, who: impl Fn(&Waiter) -> bool, to: &mut Vec<Waiter>) {
        if self.queue.iter().any(&who) {
            let (go, stay) = self.queue.drain(..).partition::<VecDeque<_>, _>(who);
            to.extend(go);
            self.queue = stay;
        }
    }

    /// How many wait: without a lease, the head does too.
    fn waiting(&self) -> usize {
        self.queue.len() + usize::from(self.lease.is_none())
    }

    fn has(&self, lease: &Arc<Lease>) -> bool {
        self.lease.as_ref().is_some_and(|known| Arc::ptr_eq(known, lease))
    }
}

impl Turnstile<'_> {
    /// Waits for the place; `None` if there is no time left for that, or no use.
    ///
    /// # Cancel safety
    /// Dropping the turnstile leaves the line.
    pub(crate) async fn pass(&mut self) -> Option<Place> {
        (&mut self.turn).await.ok()
    }
}

impl Drop for Turnstile<'_> {
    fn drop(&mut self) {
        self.gates.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
