//! Locks inside this process, for development, unit tests and single-process programs.
//!
//! The semantics are those of the Redis store: leases that expire, owner tokens, fences, idempotent operations.
//! All embedded runtimes of a process share one table, so that several runtimes can stand for several replicas.

use std::{
    collections::HashMap,
    future::ready,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{Answer, Claim, Renewal, Reply, Store, StoreError, WAITER_COUNTS};
use crate::{
    clock::Moment,
    holder::{Holder, Record},
};

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// The store in this process.
pub(crate) struct Embedded;

impl Store for Embedded {
    fn check(&self, _: Duration) -> Reply<()> {
        Box::pin(ready(Ok(())))
    }

    fn acquire(&self, claim: &Arc<Claim>, _: Duration) -> Reply<Answer> {
        let answer = table().acquire(claim, Moment::now());
        Box::pin(ready(Ok(answer)))
    }

    fn renew(&self, renewals: Vec<Renewal>, _: Duration) -> Reply<Vec<Result<bool, StoreError>>> {
        let now = Moment::now();
        let mut table = table();
        let answers = renewals.into_iter().map(|renewal| Ok(table.renew(&renewal, now))).collect();
        Box::pin(ready(Ok(answers)))
    }

    fn release(&self, name: &Arc<str>, token: &Arc<str>, _: Duration) -> Reply<bool> {
        let released = table().release(name, token, Moment::now());
        Box::pin(ready(Ok(released)))
    }

    fn inspect(&self, name: &Arc<str>, _: Duration) -> Reply<Option<Holder>> {
        let holder = table().inspect(name, Moment::now());
        Box::pin(ready(Ok(holder)))
    }
}

fn table() -> MutexGuard<'static, Table> {
    // Nothing panics while it holds this lock.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Table {
    locks: HashMap<Arc<str>, Entry>,
    waiters: HashMap<Arc<str>, HashMap<Arc<str>, Moment>>,
    /// One counter for all keys: strictly increasing for each, and no record has to outlive its lock.
    last_fence: u64,
    /// The number of entries at which expired ones are swept out.
    sweep_at: usize,
}

struct Entry {
    token: Arc<str>,
    expires: Moment,
    record: Record,
}

impl Table {
    fn acquire(&mut self, claim: &Claim, now: Moment) -> Answer {
        match self.live(&claim.name, now) {
            None => self.grant(claim, now),
            Some(entry) if entry.token == claim.token => {
                entry.expires = now.after(claim.ttl);
                Answer::Granted { fence: entry.record.fence }
            }
            Some(entry) => {
                let (record, remaining) = (entry.record.clone(), entry.expires.since(now));
                if claim.waits {
                    let waiters = self.waiters.entry(Arc::clone(&claim.name)).or_default();
                    waiters.insert(Arc::clone(&claim.token), now.after(WAITER_COUNTS));
                }
                Answer::Busy(Holder::new(Some(record), Some(remaining), self.waiters_of(&claim.name, now)))
            }
        }
    }

    fn grant(&mut self, claim: &Claim, now: Moment) -> Answer {
        if let Some(waiters) = self.waiters.get_mut(&claim.name) {
            waiters.remove(&claim.token);
        }
        self.sweep(now);
        let since = SystemTime::now();
        let micros = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_micros() as u64);
        let fence = micros.max(self.last_fence + 1);
        self.last_fence = fence;
        let record = Record { fence, since, who: claim.who.clone() };
        let entry = Entry { token: Arc::clone(&claim.token), expires: now.after(claim.ttl), record };
        self.locks.insert(Arc::clone(&claim.name), entry);
        Answer::Granted { fence }
    }

    fn renew(&mut self, renewal: &Renewal, now: Moment) -> bool {
        let Some(entry) = self.live(&renewal.name, now).filter(|entry| entry.token == renewal.token) else {
            return false;
        };
        entry.expires = now.after(renewal.ttl);
        true
    }

    fn release(&mut self, name: &Arc<str>, token: &Arc<str>, now: Moment) -> bool {
        let held = self.live(name, now).is_some_and(|entry| entry.token == *token);
        if held {
            self.locks.remove(name);
        }
        held
    }

    fn inspect(&mut self, name: &Arc<str>, now: Moment) -> Option<Holder> {
        let waiters = self.waiters_of(name, now);
        let entry = self.live(name, now)?;
        Some(Holder::new(Some(entry.record.clone()), Some(entry.expires.since(now)), waiters))
    }

    fn waiters_of(&mut self, name: &Arc<str>, now: Moment) -> u64 {
        let Some(waiters) = self.waiters.get_mut(name) else { return 0 };
        waiters.retain(|_, until| now < *until);
        waiters.len() as u64
    }

    fn live(&mut self, name: &Arc<str>, now: Moment) -> Option<&mut Entry> {
        self.locks.get_mut(name).filter(|entry| now < entry.expires)
    }

    /// Keeps the table at no more than twice the entries that are alive.
    fn sweep(&mut self, now: Moment) {
        if self.locks.len() < self.sweep_at.max(1024) {
            return;
        }
        self.locks.retain(|_, entry| now < entry.expires);
        self.waiters.retain(|_, waiters| {
            waiters.retain(|_, until| now < *until);
            !waiters.is_empty()
        });
        self.sweep_at = self.locks.len() * 2;
    }
}
