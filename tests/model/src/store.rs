//! The scripts of the Redis store, line by line, on one key.

use crate::{
    Weakened,
    clock::Tick,
    network::{FOREIGN, Packet, Token},
};

/// What the store keeps for the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) lock: Option<Lock>,
    /// `None` if it was lost.
    pub(crate) clock: Option<FenceClock>,
    pub(crate) queue: Vec<Seat>,
    /// The lock went free on purpose a moment ago: who waits, but is not first, does not get it yet.
    pub(crate) rests: bool,
}

/// The lock: its expiry, and what its value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    pub(crate) owner: Token,
    pub(crate) expires: Tick,
    /// The last fence that is reserved for the holder.
    pub(crate) last: u8,
    /// Since when it is held, and when it was last free if it was handed to the holder directly. Both are left out where no
    /// release leaves the lock free.
    since: Tick,
    unbroken: Option<Tick>,
    /// Somebody waits.
    pub(crate) marked: bool,
}

/// The fence clock (mint.lua). The rehearsal of `build` has begun it before a run starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FenceClock {
    pub(crate) last: u8,
    ceiling: u8,
    life: u8,
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
    /// The time as a fence: from there the fence clock begins anew if it was lost.
    pub(crate) floor: u8,
    /// Which life of the server this is.
    pub(crate) life: u8,
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
    pub(crate) fn new(block: u8) -> Self {
        let clock = FenceClock { last: 0, ceiling: 4 * block, life: 0 };
        Self { lock: None, clock: Some(clock), queue: Vec::new(), rests: false }
    }

    /// Carries a request out and gives the reply.
    pub(crate) fn carry_out(&mut self, request: Packet, around: &mut Surroundings<'_>) -> Packet {
        match request {
            Packet::Acquire { token, ttl, again, sent } => self.acquire(token, ttl, again, sent, around),
            Packet::Renew { token, ttl, shorten, more, sent } => {
                let first = self.renew(token, ttl, shorten, more, around);
                Packet::Renewed { token, ttl, shorten, yes: first.is_some(), first: first.flatten(), sent }
            }
            Packet::Release { token, sent } => {
                self.release(token, around);
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

    /// Another client takes the free lock.
    pub(crate) fn take_by_foreign(&mut self, expires: Tick) {
        self.lock = Some(Lock { owner: FOREIGN, expires, last: 0, since: 0, unbroken: None, marked: false });
    }

    pub(crate) fn is_owner(&self, token: Token) -> bool {
        self.lock.is_some_and(|lock| lock.owner == token)
    }

    fn leave_queue(&mut self, token: Token) {
        self.queue.retain(|seat| seat.token != token);
    }

    /// mint.lua: the first fence of a block. A new master's time may be behind by anything, so it counts only if the clock is lost.
    fn mint(&mut self, around: &Surroundings<'_>) -> u8 {
        let FenceClock { mut last, mut ceiling, life } = self.clock.unwrap_or_default();
        if self.clock.is_none() && !around.is(Weakened::ClockFromNothing) {
            last = last.max(around.floor);
        }
        if life != around.life && !around.is(Weakened::LifeIgnored) {
            last = last.max(ceiling);
        }
        let first = last + 1;
        last += around.block;
        if last + 2 * around.block > ceiling {
            ceiling = last + 4 * around.block;
        }
        self.clock = Some(FenceClock { last, ceiling, life: around.life });
        first
    }

    /// The lock is `owner`'s. Returns the first of its fences.
    fn grant(&mut self, owner: Token, ttl: Tick, unbroken: Option<Tick>, around: &Surroundings<'_>) -> u8 {
        let first = self.mint(around);
        let breaks = around.free_every != Tick::MAX;
        self.lock = Some(Lock {
            owner,
            expires: around.now + ttl,
            last: first + around.block - 1,
            since: if breaks { around.now } else { 0 },
            unbroken: unbroken.filter(|_| breaks),
            marked: !self.queue.is_empty() && (unbroken.is_none() || !around.is(Weakened::MarkLostByHandOver)),
        });
        first
    }

    /// acquire.lua and wait.lua.
    fn acquire(&mut self, token: Token, ttl: Tick, again: bool, sent: Tick, around: &mut Surroundings<'_>) -> Packet {
        if self.lock.is_none() && (self.queue.is_empty() || around.is(Weakened::QueueJumped)) {
            return Packet::Granted { token, first: self.grant(token, ttl, None, around), waiting: false, sent };
        }
        match &mut self.lock {
            None if self.rests && self.queue.first().is_none_or(|seat| seat.token != token) => {}
            None => {
                self.rests = false;
                if self.hand_over(token, false, None, around).is_none() {
                    self.leave_queue(token);
                    let first = self.grant(token, ttl, None, around);
                    return Packet::Granted { token, first, waiting: !self.queue.is_empty(), sent };
                }
            }
            Some(lock) if lock.owner == token => {
                lock.expires = lock.expires.max(around.now + ttl);
                let first = lock.last + 1 - around.block;
                return Packet::Granted { token, first, waiting: !self.queue.is_empty(), sent };
            }
            Some(_) => {}
        }
        self.sit_down(Seat { token, ttl, counts: around.now + around.seat }, again, around);
        Packet::Busy { token, last: self.clock.map_or(0, |clock| clock.last), sent }
    }

    /// The end of wait.lua: a seat in the queue, a mark, and a word to the holder. The value of another client is left alone.
    fn sit_down(&mut self, seat: Seat, again: bool, around: &mut Surroundings<'_>) {
        match self.queue.iter_mut().find(|other| other.token == seat.token) {
            Some(other) => other.counts = seat.counts,
            None => self.queue.push(seat),
        }
        let Some(lock) = &mut self.lock else { return };
        let is_ours = lock.owner != FOREIGN;
        let marks = if is_ours { !around.is(Weakened::NotMarked) } else { around.is(Weakened::ForeignMarked) };
        let was_marked = lock.marked;
        lock.marked |= marks;
        if is_ours && (again || !was_marked) {
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
        let first = self.mint(around);
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.owner == token) {
            lock.last = first + around.block - 1;
            lock.marked &= !around.is(Weakened::MarkLostByRefill);
        }
        first
    }

    /// release.lua and give.lua.
    fn release(&mut self, token: Token, around: &mut Surroundings<'_>) {
        let Some(lock) = self.lock.filter(|lock| lock.owner == token || around.is(Weakened::ReleaseWithoutToken))
        else {
            self.leave_queue(token);
            return;
        };
        self.lock = None;
        if !lock.marked || self.queue.is_empty() {
            return;
        }
        let free = lock.unbroken.is_some_and(|since| around.now - since >= around.free_every);
        self.rests |= free;
        self.hand_over(token, free, Some(lock.unbroken.unwrap_or(lock.since)), around);
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
                let fence = self.grant(seat.token, seat.ttl, Some(unbroken.unwrap_or(around.now)), around);
                around.publish(self.handed_over(seat.token, fence, around));
                return Some(seat.token);
            }
        }
    }

    fn handed_over(&self, token: Token, fence: u8, around: &Surroundings<'_>) -> Packet {
        let waiting = !self.queue.is_empty();
        Packet::HandedOver { token, fence, waiting, sent: around.now }
    }

    /// What the script did once: it published, looked how many heard it, and took back what nobody had. The message is under way.
    fn undone(&self, token: Token, free: bool, around: &mut Surroundings<'_>) {
        let mut aside = self.clone();
        let fence = aside.mint(around);
        let message = aside.handed_over(token, fence, around);
        around.publish(if free { Packet::Free { token, sent: around.now } } else { message });
    }
}
