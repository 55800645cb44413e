//! A closed loop: so many tasks, each of which takes a lock, gives it back, and does so again, until the round is
//! over.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{Histogram, Locker, Outcome, Random, clock::now};

/// Which keys the tasks lock.
#[derive(Clone, Debug)]
pub enum Keys {
    /// All of them the same one.
    One(String),
    /// Each time one of so many at random, all of which begin alike.
    Many(String, u64),
}

/// When a round is over.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so long. Whoever starves does not hold this up.
    Over(Duration),
    /// When each task has had the lock so often: all sides do the same work, for the same tasks.
    Each(u64),
}

/// What to do in one round.
#[derive(Clone, Debug)]
pub struct Load {
    /// How many tasks.
    pub tasks: usize,
    /// Until when.
    pub until: Until,
    /// What they lock.
    pub keys: Keys,
    /// Whether waits are measured. Reading the clock costs a good part of a turn, so that rounds that are compared by
    /// their throughput on one hot key of one process do without.
    pub timed: bool,
}

/// What came of a round.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often each task had the lock.
    pub counts: Vec<u64>,
    /// How often it was held in all, the last turns included that waiting tasks had after the end: Redis counted
    /// their commands too.
    pub to_the_end: u64,
    /// How long the round took in fact.
    pub took: Duration,
    /// How long the tasks waited, those included that still waited at the end.
    pub waits: Histogram,
}

impl Tally {
    /// How often the lock was held in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Acquisitions a second.
    pub fn rate(&self) -> f64 {
        self.total() as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// What of an `amount` of all the time, to the end, is one acquisition's.
    pub fn each(&self, amount: f64) -> f64 {
        amount / self.to_the_end.max(1) as f64
    }

    /// The fewest acquisitions of a task over the most.
    pub fn fairness(&self) -> f64 {
        let least = self.counts.iter().min().copied().unwrap_or_default();
        let most = self.counts.iter().max().copied().unwrap_or_default();
        least as f64 / most.max(1) as f64
    }

    /// One line, for a pipe.
    pub fn to_line(&self) -> String {
        let counts = self.counts.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        format!("{} {} {counts} {}", self.took.as_nanos(), self.to_the_end, self.waits.to_word())
    }

    /// What [`to_line`](Self::to_line) said.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let took = Duration::from_nanos(words.next()?.parse().ok()?);
        let to_the_end = words.next()?.parse().ok()?;
        let counts = words.next()?.split(',').map(|count| count.parse().ok()).collect::<Option<_>>()?;
        Some(Self { counts, to_the_end, took, waits: Histogram::from_word(words.next()?)? })
    }

    /// Adds a round of the same tasks.
    pub fn merge(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.to_the_end += other.to_the_end;
        self.took += other.took;
        self.waits.merge(&other.waits);
    }
}

impl Load {
    /// Runs the round. Task after task gets the next of `lockers`, and the first one again after the last.
    ///
    /// # Errors
    /// Those of the lockers.
    pub async fn run<L: Locker>(&self, lockers: &[L]) -> Outcome<Tally> {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut tasks, mut slots) = (JoinSet::new(), Vec::new());
        let began = Instant::now();
        for (number, locker) in lockers.iter().cycle().take(self.tasks).enumerate() {
            let slot = Arc::new(Slot::default());
            let client = Client {
                locker: locker.clone(),
                random: Random::new(number as u64),
                keys: self.keys.clone(),
                slot: Arc::clone(&slot),
                stop: Arc::clone(&stop),
                quota: if let Until::Each(quota) = self.until { quota } else { u64::MAX },
            };
            slots.push(slot);
            if self.timed {
                tasks.spawn(client.go::<true>());
            } else {
                tasks.spawn(client.go::<false>());
            }
        }
        match self.until {
            Until::Over(span) => tokio::time::sleep(span).await,
            Until::Each(_) => join(&mut tasks).await?,
        }
        stop.store(true, Relaxed);
        let (took, ended) = (began.elapsed(), now());
        let counts = slots.iter().map(|slot| slot.count.load(Relaxed)).collect();
        if L::ABORTED {
            tasks.abort_all();
        }
        join(&mut tasks).await?;
        let to_the_end = slots.iter().map(|slot| slot.count.load(Relaxed)).sum();
        let mut waits = Histogram::default();
        for slot in slots {
            waits.merge(&slot.waits());
            // Aborted while it waited.
            let since = slot.waiting_since.load(Relaxed);
            if since > 0 {
                waits.add(Duration::from_nanos(ended.saturating_sub(since)));
            }
        }
        Ok(Tally { counts, to_the_end, took, waits })
    }
}

async fn join(tasks: &mut JoinSet<Outcome<()>>) -> Outcome<()> {
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(outcome) => outcome?,
            Err(error) if error.is_cancelled() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What a task tells. It outlives the task, which may be aborted.
#[derive(Default)]
struct Slot {
    count: AtomicU64,
    /// Zero while it does not wait, or is not timed.
    waiting_since: AtomicU64,
    waits: Mutex<Histogram>,
}

impl Slot {
    fn waits(&self) -> MutexGuard<'_, Histogram> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client<L> {
    locker: L,
    random: Random,
    keys: Keys,
    slot: Arc<Slot>,
    stop: Arc<AtomicBool>,
    quota: u64,
}

impl<L: Locker> Client<L> {
    async fn go<const TIMED: bool>(mut self) -> Outcome<()> {
        let mut key = match &self.keys {
            Keys::One(key) => key.clone(),
            Keys::Many(..) => String::new(),
        };
        let mut count = 0;
        while count < self.quota && !self.stop.load(Relaxed) {
            if let Keys::Many(start, keys) = &self.keys {
                key = format!("{start}:{}", self.random.below(*keys));
            }
            let began = if TIMED { now() } else { 0 };
            if TIMED {
                self.slot.waiting_since.store(began, Relaxed);
            }
            let held = self.locker.acquire(&key).await?;
            if TIMED {
                self.slot.waiting_since.store(0, Relaxed);
                self.slot.waits().add(Duration::from_nanos(now().saturating_sub(began)));
            }
            if let Some(held) = held {
                self.locker.release(held).await?;
                count += 1;
                self.slot.count.store(count, Relaxed);
            } else {
                // Whoever does not wait must still let others run.
                tokio::task::consume_budget().await;
            }
        }
        Ok(())
    }
}
