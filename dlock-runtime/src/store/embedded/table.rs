//! The table of locks. What the scripts do in Redis, in the same order.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::Notifications;
use crate::{
    protocol::token::{Identity, LockId, Token},
    store::{
        AcquireCommand, AcquireReply, Notification, QUEUE_ENTRY_TTL, ReleaseCommand, RenewCommand, RenewReply,
        Subscriber,
    },
    types::{
        boot_time::BootTime,
        holder::{Holder, Record},
    },
};

/// From 1970 until 2018, when the numbering of fences begins.
const UNTIL_2018: Duration = Duration::from_secs(1_514_764_800);

#[derive(Default)]
pub(super) struct Table {
    locks: HashMap<Arc<str>, Hold>,
    queues: HashMap<Arc<str>, VecDeque<QueueEntry>>,
    subscribers: HashMap<Identity, Arc<dyn Subscriber>>,
    notifications: Notifications,
    /// One counter for all keys: strictly increasing for each, and no record has to outlive its lock.
    last_fence: u64,
    /// The number of entries at which expired ones are swept out.
    sweep_at: usize,
}

struct Hold {
    token: Token,
    expires: BootTime,
    /// The first of its fences; the record has the last.
    first: u64,
    record: Record,
}

struct QueueEntry {
    command: Arc<AcquireCommand>,
    /// Its waiter has gone if this time has passed.
    expires: BootTime,
}

impl Table {
    pub(super) fn acquire(&mut self, command: &Arc<AcquireCommand>, now: BootTime) -> AcquireReply {
        let LockId { name, token } = &command.lock_id;
        match self.live(name, now) {
            Some(hold) if hold.token == *token => {
                hold.expires = hold.expires.max(now.after(command.ttl));
                let fence = hold.first;
                return AcquireReply::Granted { fence, waiting: self.waiting(name) };
            }
            Some(_) => {}
            // It is free: whoever came first gets it.
            None => {
                if !self.hand_over(name, Some(*token), now) {
                    self.leave_queue(&command.lock_id);
                    let fence = self.grant(command, now);
                    return AcquireReply::Granted { fence, waiting: self.waiting(name) };
                }
            }
        }
        if command.waits {
            self.queue(command, now);
        }
        let waiters = self.waiters(name, now);
        let holder = self.live(name, now).map(|hold| (hold.record.clone(), hold.expires.since(now)));
        let (record, remaining) = holder.unzip();
        AcquireReply::Busy { holder: Holder::new(record, remaining, waiters), last_fence: self.last_fence }
    }

    fn queue(&mut self, command: &Arc<AcquireCommand>, now: BootTime) {
        let expires = now.after(QUEUE_ENTRY_TTL);
        let queue = self.queues.entry(Arc::clone(&command.lock_id.name)).or_default();
        let again = match queue.iter_mut().find(|entry| entry.command.lock_id.token == command.lock_id.token) {
            Some(entry) => {
                entry.expires = expires;
                true
            }
            None => {
                queue.push_back(QueueEntry { command: Arc::clone(command), expires });
                false
            }
        };
        // The holder is notified that somebody waits, unless it knew when the lock was granted.
        if again || queue.len() == 1 {
            let holder = self.live(&command.lock_id.name, now).map(|hold| hold.token);
            if let Some(token) = holder {
                self.notify(
                    token.identity,
                    Notification::Contended { lock_id: LockId { token, ..command.lock_id.clone() } },
                );
            }
        }
    }

    /// Gives the lock to the first in the queue that is subscribed; false if nobody is, or `me` comes first.
    fn hand_over(&mut self, name: &Arc<str>, me: Option<Token>, now: BootTime) -> bool {
        while let Some(first) = self.queues.get_mut(name).and_then(VecDeque::pop_front) {
            if me == Some(first.command.lock_id.token) {
                self.queues.entry(Arc::clone(name)).or_default().push_front(first);
                return false;
            }
            let identity = first.command.lock_id.token.identity;
            if now < first.expires && self.subscribers.contains_key(&identity) {
                let fence = self.grant(&first.command, now);
                let waiting = self.waiting(name);
                let lock_id = first.command.lock_id.clone();
                self.notify(identity, Notification::Granted { lock_id, fence, waiting });
                return true;
            }
        }
        self.queues.remove(name);
        false
    }

    fn grant(&mut self, command: &AcquireCommand, now: BootTime) -> u64 {
        self.sweep(now);
        let since = SystemTime::now();
        // A message has a fence in any case, by which it can be told from older ones.
        let first = self.mint(command.fences.max(1), since);
        let fence = if command.fences == 0 { 0 } else { self.last_fence };
        let record = Record { fence, since, who: command.who.clone() };
        let hold = Hold { token: command.lock_id.token, expires: now.after(command.ttl), first, record };
        self.locks.insert(Arc::clone(&command.lock_id.name), hold);
        first
    }

    fn mint(&mut self, count: u32, at: SystemTime) -> u64 {
        // As in Redis (`mint.lua`): it begins at the time, and counts on from there more slowly than the time goes.
        let first = if self.last_fence == 0 { eighths(at) } else { self.last_fence + 1 };
        self.last_fence = first + u64::from(count) - 1;
        first
    }

    pub(super) fn renew(&mut self, renewal: &RenewCommand, now: BootTime) -> RenewReply {
        let ends = now.after(renewal.ttl);
        let Some(hold) = self.held_by(&renewal.lock_id, now) else { return RenewReply::NotHeld };
        hold.expires = if renewal.shorten { ends } else { hold.expires.max(ends) };
        if renewal.more_fences == 0 {
            return RenewReply::Renewed;
        }
        let first = self.mint(renewal.more_fences, SystemTime::now());
        let last = self.last_fence;
        if let Some(hold) = self.held_by(&renewal.lock_id, now) {
            hold.record.fence = last;
        }
        RenewReply::RenewedWithFences(first)
    }

    pub(super) fn release(&mut self, command: &ReleaseCommand, now: BootTime) -> bool {
        let name = &command.lock_id.name;
        if self.held_by(&command.lock_id, now).is_none() {
            self.leave_queue(&command.lock_id);
            return false;
        }
        if !self.hand_over(name, None, now) {
            self.locks.remove(name);
        }
        true
    }

    pub(super) fn inspect(&mut self, name: &Arc<str>, now: BootTime) -> Option<Holder> {
        let waiters = self.waiters(name, now);
        let hold = self.live(name, now)?;
        Some(Holder::new(Some(hold.record.clone()), Some(hold.expires.since(now)), waiters))
    }

    pub(super) fn subscribe(&mut self, identity: Identity, subscriber: Arc<dyn Subscriber>) {
        self.subscribers.insert(identity, subscriber);
    }

    pub(super) fn unsubscribe(&mut self, identity: Identity) -> Option<Arc<dyn Subscriber>> {
        self.subscribers.remove(&identity)
    }

    pub(super) fn take_notifications(&mut self) -> Notifications {
        std::mem::take(&mut self.notifications)
    }

    fn notify(&mut self, identity: Identity, notification: Notification) {
        if let Some(subscriber) = self.subscribers.get(&identity) {
            self.notifications.push((Arc::clone(subscriber), notification));
        }
    }

    fn leave_queue(&mut self, lock_id: &LockId) {
        if let Some(queue) = self.queues.get_mut(&lock_id.name) {
            queue.retain(|entry| entry.command.lock_id.token != lock_id.token);
            if queue.is_empty() {
                self.queues.remove(&lock_id.name);
            }
        }
    }

    /// How many entries the queue has.
    fn waiting(&self, name: &Arc<str>) -> u64 {
        self.queues.get(name).map_or(0, |queue| queue.len() as u64)
    }

    /// How many of them have not expired.
    fn waiters(&self, name: &Arc<str>, now: BootTime) -> u64 {
        let Some(queue) = self.queues.get(name) else { return 0 };
        queue.iter().filter(|entry| now < entry.expires).count() as u64
    }

    fn live(&mut self, name: &Arc<str>, now: BootTime) -> Option<&mut Hold> {
        self.locks.get_mut(name).filter(|hold| now < hold.expires)
    }

    fn held_by(&mut self, lock_id: &LockId, now: BootTime) -> Option<&mut Hold> {
        self.live(&lock_id.name, now).filter(|hold| hold.token == lock_id.token)
    }

    /// Keeps the table at no more than twice the entries that are alive.
    fn sweep(&mut self, now: BootTime) {
        if self.locks.len() < self.sweep_at.max(1024) {
            return;
        }
        self.locks.retain(|_, hold| now < hold.expires);
        self.queues.retain(|_, queue| queue.iter().any(|entry| now < entry.expires));
        self.sweep_at = self.locks.len() * 2;
    }
}

/// The time in eighths of a microsecond since 2018.
fn eighths(at: SystemTime) -> u64 {
    let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.saturating_sub(UNTIL_2018).as_micros() as u64 * 8 + 1
}
