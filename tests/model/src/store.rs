//! The scripts of the Redis store, line by line, on one key.

use crate::{
    Weakened,
    clock::Tick,
    network::{Packet, Token},
};

/// What the store keeps for the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) lock: Option<Lock>,
    pub(crate) record: Option<Record>,
    pub(crate) queue: Vec<Seat>,
    /// The lock went free on purpose a moment ago: who waits, but is not first, does not get it yet.
    pub(crate) rests: bool,
}

/// The lock itself: its value and its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    pub(crate) owner: Token,
    pub(crate) expires: Tick,
}

/// The record beside the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) last: u8,
    /// When the holder was let in: the tick, and the order within all ticks. The store's clock is so fine that no two
    /// scripts see the same time, so the order is what a comparison of two times says.
    pub(crate) since: (Tick, u8),
    pub(crate) holder: Token,
    /// When the lock was last free, if it was handed to the holder directly. Left out where no release leaves it free.
    pub(crate) unbroken: Option<Tick>,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub(crate) token: Token,
    pub(crate) ttl: Tick,
    /// The last tick at which it counts unless it is asked for again.
    pub(crate) counts: Tick,
}

/// What a script can see besides the keys, and where its messages go.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Tick,
    /// The time as a fence: the floor of what is minted.
    pub(crate) floor: u8,
    pub(crate) block: u8,
    pub(crate) seat: Tick,
    /// After so many ticks without being free, the key is left free by a release.
    pub(crate) free_every: Tick,
    pub(crate) weakened: Option<Weakened>,
    /// Where each client listens; nowhere if it crashed.
    pub(crate) listening: &'a [Option<Ear>],
    pub(crate) messages: Vec<Packet>,
}

/// Where a client listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Ear {
    /// At the server that carries requests out.
    #[default]
    Here,
    /// At a replica of it: what is published arrives, and the scripts do not know.
    AtReplica,
}

impl Surroundings<'_> {
    fn is(&self, weakened: Weakened) -> bool {
        self.weakened == Some(weakened)
    }

    fn ear(&self, token: Token) -> Option<Ear> {
        self.listening.get(usize::from(token.client)).copied().flatten()
    }

    /// Whether somebody is there to hear, as far as this server knows.
    pub(crate) fn listens(&self, token: Token) -> bool {
        self.ear(token) == Some(Ear::Here)
    }

    /// Whether replies and messages arrive.
    pub(crate) fn reaches(&self, token: Token) -> bool {
        self.ear(token).is_some()
    }

    /// A message goes to the subscribers of replicas, too.
    fn publish(&mut self, message: Packet) {
        if self.reaches(message.token()) {
            self.messages.push(message);
        }
    }
}

impl Store {
    /// Carries a request out and gives the reply.
    pub(crate) fn carry_out(&mut self, request: Packet, around: &mut Surroundings<'_>) -> Packet {
        match request {
            Packet::Acquire { token, ttl, again, sent } => self.acquire(token, ttl, again, sent, around),
            Packet::Renew { token, ttl, shorten, more, sent } => {
                let first = self.renew(token, ttl, shorten, more, around);
                Packet::Renewed { token, ttl, shorten, yes: first.is_some(), first: first.flatten(), sent }
            }
            Packet::Release { token, used, known, sent } => {
                self.release(token, used, known.map(|(_, last)| last), around);
                Packet::Released { token, sent }
            }
            other => unreachable!("{other:?} is not for the store"),
        }
    }

    /// Redis drops what has expired. The queue goes when nobody has asked for as long as a seat counts.
    pub(crate) fn expire(&mut self, now: Tick) {
        self.lock = self.lock.filter(|lock| lock.expires > now);
        self.rests = false;
        if self.queue.iter().all(|seat| seat.counts < now) {
            self.queue.clear();
        }
    }

    pub(crate) fn is_owner(&self, token: Token) -> bool {
        self.lock.is_some_and(|lock| lock.owner == token)
    }

    fn leave_queue(&mut self, token: Token) {
        self.queue.retain(|seat| seat.token != token);
    }

    /// mint.lua: the first fence of a block.
    fn mint(&mut self, token: Token, around: &Surroundings<'_>) -> u8 {
        let first = around.floor.max(self.record.map_or(0, |record| record.last + 1));
        let order = self.record.map_or(0, |record| record.since.1) + 1;
        let last = first + around.block - 1;
        self.record = Some(Record { last, since: (around.now, order), holder: token, unbroken: None });
        first
    }

    /// acquire.lua and wait.lua.
    fn acquire(&mut self, token: Token, ttl: Tick, again: bool, sent: Tick, around: &mut Surroundings<'_>) -> Packet {
        let lease = Lock { owner: token, expires: around.now + ttl };
        if self.lock.is_none() && (self.queue.is_empty() || around.is(Weakened::QueueJumped)) {
            self.lock = Some(lease);
            return Packet::Granted { token, first: self.mint(token, around), waiting: false, sent };
        }
        match self.lock {
            None if self.rests && self.queue.first().is_none_or(|seat| seat.token != token) => {}
            None => {
                self.rests = false;
                if self.hand_over(token, false, None, around).is_none() {
                    self.lock = Some(lease);
                    self.leave_queue(token);
                    let first = self.mint(token, around);
                    return Packet::Granted { token, first, waiting: !self.queue.is_empty(), sent };
                }
            }
            Some(lock) if lock.owner == token => {
                self.lock = Some(Lock { owner: token, expires: lock.expires.max(lease.expires) });
                let own = self.record.filter(|record| record.holder == token);
                let first = own.map_or_else(|| self.mint(token, around), |record| record.last + 1 - around.block);
                return Packet::Granted { token, first, waiting: !self.queue.is_empty(), sent };
            }
            Some(_) => {}
        }
        self.sit_down(Seat { token, ttl, counts: around.now + around.seat }, again, around);
        let by_fence = around.is(Weakened::MessagesJudgedByFence);
        let floor = self.record.map_or(0, |record| if by_fence { record.last } else { record.since.1 });
        Packet::Busy { token, floor, sent }
    }

    /// The end of wait.lua: a seat in the queue, and a word to the holder.
    fn sit_down(&mut self, seat: Seat, again: bool, around: &mut Surroundings<'_>) {
        match self.queue.iter_mut().find(|other| other.token == seat.token) {
            Some(other) => other.counts = seat.counts,
            None => self.queue.push(seat),
        }
        let Some(lock) = self.lock else { return };
        let of_our_kind = self.record.is_some_and(|record| record.holder == lock.owner);
        if of_our_kind && (again || self.queue.len() == 1) {
            around.publish(Packet::Wanted { token: lock.owner, sent: around.now });
        }
    }

    /// renew.lua and reserve.lua: `None` if the lock is not the token's, else the first of the fences if it asked for more.
    fn renew(
        &mut self,
        token: Token,
        ttl: Tick,
        shorten: bool,
        more: bool,
        around: &Surroundings<'_>,
    ) -> Option<Option<u8>> {
        let lock = self.lock.as_mut()?;
        if lock.owner != token && !around.is(Weakened::RenewWithoutToken) {
            return None;
        }
        let expires = around.now + ttl;
        if shorten || lock.expires < expires || around.is(Weakened::RenewalShortens) {
            lock.expires = expires;
        }
        Some(more.then(|| self.reserve(token, around)))
    }

    fn reserve(&mut self, token: Token, around: &Surroundings<'_>) -> u8 {
        let before = self.record.filter(|record| record.holder == token);
        let first = self.mint(token, around);
        if let (Some(record), Some(before)) = (&mut self.record, before) {
            *record = Record { last: record.last, ..before };
        }
        first
    }

    /// release.lua and give.lua.
    fn release(&mut self, token: Token, used: Option<u8>, last: Option<u8>, around: &mut Surroundings<'_>) {
        if !self.is_owner(token) && !around.is(Weakened::ReleaseWithoutToken) {
            self.leave_queue(token);
            return;
        }
        // The record may be of another block than the client knows, and that block may end above what others used since.
        let unchecked = around.is(Weakened::BlockReturnedUnchecked);
        if let (Some(record), Some(used)) = (&mut self.record, used)
            && record.holder == token
            && used < record.last
            && (unchecked || last == Some(record.last))
        {
            record.last = used;
        }
        self.lock = None;
        if self.queue.is_empty() {
            return;
        }
        let own = self.record.filter(|record| record.holder == token);
        let handed = own.and_then(|record| record.unbroken);
        let free = handed.is_some_and(|since| around.now - since >= around.free_every);
        self.rests |= free;
        let unbroken = handed.or(own.map(|record| record.since.0)).unwrap_or(around.now);
        self.hand_over(token, free, Some(unbroken), around);
    }

    /// hand_over.lua: the first in the queue who is there to hear of it gets the lock, or is told that it is free.
    fn hand_over(
        &mut self,
        me: Token,
        free: bool,
        unbroken: Option<Tick>,
        around: &mut Surroundings<'_>,
    ) -> Option<Token> {
        loop {
            let seat = *self.queue.first()?;
            if seat.token == me {
                return None;
            }
            let asked = seat.counts >= around.now;
            if asked && !around.listens(seat.token) && around.is(Weakened::PublishedBeforeLooking) {
                self.undone(seat.token, free, around);
            }
            let there = asked && around.listens(seat.token);
            let heard = there || around.is(Weakened::HandedToTheDead);
            if heard && free {
                around.publish(Packet::Free { token: seat.token, sent: around.now });
                return Some(seat.token);
            }
            self.queue.remove(0);
            if heard {
                self.lock = Some(Lock { owner: seat.token, expires: around.now + seat.ttl });
                let fence = self.mint(seat.token, around);
                if let Some(record) = self.record.as_mut().filter(|_| around.free_every != Tick::MAX) {
                    record.unbroken = unbroken;
                }
                around.publish(self.handed_over(seat.token, fence, around));
                return Some(seat.token);
            }
        }
    }

    fn handed_over(&self, token: Token, fence: u8, around: &Surroundings<'_>) -> Packet {
        let waiting = !self.queue.is_empty();
        let by_fence = around.is(Weakened::MessagesJudgedByFence);
        let since = self.record.map_or(0, |record| if by_fence { fence } else { record.since.1 });
        Packet::HandedOver { token, fence, since, waiting, sent: around.now }
    }

    /// What the script did once: it published, looked how many heard it, and took back what nobody had. The message is under way.
    fn undone(&self, token: Token, free: bool, around: &mut Surroundings<'_>) {
        let mut aside = self.clone();
        let fence = aside.mint(token, around);
        let message = aside.handed_over(token, fence, around);
        around.publish(if free { Packet::Free { token, sent: around.now } } else { message });
    }
}
