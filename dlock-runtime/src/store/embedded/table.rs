//! The table of locks. What the scripts do in Redis, in the same order.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use super::Notifications;
use crate::{
    protocol::token::{Identity, Ticket, Token},
    store::{Answer, Claim, Leaving, More, Notification, Renewal, Renewed, SEAT_COUNTS, Subscriber},
    types::{
        clock::Moment,
        holder::{Holder, Record},
    },
};

#[derive(Default)]
pub(super) struct Table {
    locks: HashMap<Arc<str>, Hold>,
    queues: HashMap<Arc<str>, VecDeque<QueueEntry>>,
    subscribers: HashMap<Identity, Arc<dyn Subscriber>>,
    notifications: Notifications,
    /// One counter for all keys: strictly increasing for each, and no record has to outlive its lock.
    last_fence: u64,
    /// When a lock was given away the last time, in µs; strictly increasing.
    last_grant: u64,
    /// The number of entries at which expired ones are swept out.
    sweep_at: usize,
}

struct Hold {
    token: Token,
    expires: Moment,
    /// The first of its fences; the record tells the last.
    first: u64,
    record: Record,
}

struct QueueEntry {
    claim: Arc<Claim>,
    /// Its waiter has gone if this time has passed.
    expires: Moment,
}

impl Table {
    pub(super) fn acquire(&mut self, claim: &Arc<Claim>, now: Moment) -> Answer {
        let Ticket { name, token } = &claim.ticket;
        match self.live(name, now) {
            Some(hold) if hold.token == *token => {
                hold.expires = hold.expires.max(now.after(claim.ttl));
                let fence = hold.first;
                return Answer::Granted { fence, waiting: self.waiting(name) };
            }
            Some(_) => {}
            // It is free: whoever came first gets it.
            None => {
                if !self.hand_over(name, Some(*token), now) {
                    self.leave_queue(&claim.ticket);
                    let fence = self.grant(claim, now);
                    return Answer::Granted { fence, waiting: self.waiting(name) };
                }
            }
        }
        if claim.waits {
            self.queue(claim, now);
        }
        let floor = self.last_grant;
        let waiters = self.waiters(name, now);
        let holder = self.live(name, now).map(|hold| (hold.record.clone(), hold.expires.since(now)));
        let (record, remaining) = holder.unzip();
        Answer::Busy { holder: Holder::new(record, remaining, waiters), floor }
    }

    fn queue(&mut self, claim: &Arc<Claim>, now: Moment) {
        let expires = now.after(SEAT_COUNTS);
        let queue = self.queues.entry(Arc::clone(&claim.ticket.name)).or_default();
        let again = match queue.iter_mut().find(|entry| entry.claim.ticket.token == claim.ticket.token) {
            Some(entry) => {
                entry.expires = expires;
                true
            }
            None => {
                queue.push_back(QueueEntry { claim: Arc::clone(claim), expires });
                false
            }
        };
        // The holder is told that somebody waits, unless it was told so when the lock was granted.
        if again || queue.len() == 1 {
            let holder = self.live(&claim.ticket.name, now).map(|hold| hold.token);
            if let Some(token) = holder {
                self.notify(
                    token.identity,
                    Notification::Contended { ticket: Ticket { token, ..claim.ticket.clone() } },
                );
            }
        }
    }

    /// Gives the lock to the first in the queue that is subscribed; false if nobody is, or `me` comes first.
    fn hand_over(&mut self, name: &Arc<str>, me: Option<Token>, now: Moment) -> bool {
        while let Some(first) = self.queues.get_mut(name).and_then(VecDeque::pop_front) {
            if me == Some(first.claim.ticket.token) {
                self.queues.entry(Arc::clone(name)).or_default().push_front(first);
                return false;
            }
            let identity = first.claim.ticket.token.identity;
            if now < first.expires && self.subscribers.contains_key(&identity) {
                let fence = self.grant(&first.claim, now);
                let waiting = self.waiting(name);
                let ticket = first.claim.ticket.clone();
                self.notify(identity, Notification::Granted { ticket, fence, waiting, since: self.last_grant });
                return true;
            }
        }
        self.queues.remove(name);
        false
    }

    fn grant(&mut self, claim: &Claim, now: Moment) -> u64 {
        self.sweep(now);
        let since = SystemTime::now();
        self.last_grant = micros(since).max(self.last_grant + 1);
        let first = self.mint(claim.fences, since);
        let record = Record { fence: self.last_fence, since, who: claim.who.clone() };
        let hold = Hold { token: claim.ticket.token, expires: now.after(claim.ttl), first, record };
        self.locks.insert(Arc::clone(&claim.ticket.name), hold);
        first
    }

    fn mint(&mut self, count: u32, at: SystemTime) -> u64 {
        let first = micros(at).max(self.last_fence + 1);
        self.last_fence = first + u64::from(count) - 1;
        first
    }

    pub(super) fn renew(&mut self, renewal: &Renewal, now: Moment) -> Renewed {
        let ends = now.after(renewal.ttl);
        let Some(hold) = self.held_by(&renewal.ticket, now) else { return Renewed::No };
        hold.expires = if renewal.shorten { ends } else { hold.expires.max(ends) };
        let Some(More { fences, .. }) = renewal.more else { return Renewed::Yes };
        let first = self.mint(fences, SystemTime::now());
        let last = self.last_fence;
        if let Some(hold) = self.held_by(&renewal.ticket, now) {
            hold.record.fence = last;
        }
        Renewed::With(first)
    }

    /// The rest of a block does not go back: the counter is shared by all keys, and time has moved on meanwhile.
    pub(super) fn release(&mut self, leaving: &Leaving, now: Moment) -> bool {
        let name = &leaving.ticket.name;
        if self.held_by(&leaving.ticket, now).is_none() {
            self.leave_queue(&leaving.ticket);
            return false;
        }
        if !self.hand_over(name, None, now) {
            self.locks.remove(name);
        }
        true
    }

    pub(super) fn inspect(&mut self, name: &Arc<str>, now: Moment) -> Option<Holder> {
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

    fn leave_queue(&mut self, ticket: &Ticket) {
        if let Some(queue) = self.queues.get_mut(&ticket.name) {
            queue.retain(|entry| entry.claim.ticket.token != ticket.token);
            if queue.is_empty() {
                self.queues.remove(&ticket.name);
            }
        }
    }

    /// How many entries the queue has.
    fn waiting(&self, name: &Arc<str>) -> u64 {
        self.queues.get(name).map_or(0, |queue| queue.len() as u64)
    }

    /// How many of them have not expired.
    fn waiters(&self, name: &Arc<str>, now: Moment) -> u64 {
        let Some(queue) = self.queues.get(name) else { return 0 };
        queue.iter().filter(|entry| now < entry.expires).count() as u64
    }

    fn live(&mut self, name: &Arc<str>, now: Moment) -> Option<&mut Hold> {
        self.locks.get_mut(name).filter(|hold| now < hold.expires)
    }

    fn held_by(&mut self, ticket: &Ticket, now: Moment) -> Option<&mut Hold> {
        self.live(&ticket.name, now).filter(|hold| hold.token == ticket.token)
    }

    /// Keeps the table at no more than twice the entries that are alive.
    fn sweep(&mut self, now: Moment) {
        if self.locks.len() < self.sweep_at.max(1024) {
            return;
        }
        self.locks.retain(|_, hold| now < hold.expires);
        self.queues.retain(|_, queue| queue.iter().any(|entry| now < entry.expires));
        self.sweep_at = self.locks.len() * 2;
    }
}

fn micros(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_micros() as u64)
}
