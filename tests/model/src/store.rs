//! The scripts of the Redis store, branch by branch, on one key.

use crate::{
    Scenario,
    client::Listens,
    guard::Epoch,
    network::{Body, FOREIGN, Packet, Renewal, Token},
    scenario::Tick,
};

/// For how many ticks an entry in the queue counts after it was asked for.
const ENTRY: Tick = 2;
/// For how long the client of another kind takes the key.
const FOREIGN_TTL: Tick = 2;

/// What the store keeps for the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) lock: Option<Lock>,
    /// `None` if it was lost.
    pub(crate) clock: Option<FenceClock>,
    pub(crate) queue: Vec<Entry>,
    /// The lock went free on purpose a moment ago: who waits, but is not first, does not get it yet.
    pub(crate) rests: bool,
    /// Which life of the server the guard knows, and when that opens.
    pub(crate) epoch: Option<Epoch>,
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
    pub(crate) since: Tick,
    pub(crate) unbroken: Option<Tick>,
    /// Somebody waits.
    pub(crate) marked: bool,
    /// It was taken, or came back, without a look at the queue.
    pub(crate) is_plain: bool,
}

/// Why somebody looks for the next holder (hand_over.lua).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It asks for the lock, and gets it if it comes first.
    Asks,
    Gives,
    /// The first one is only told that the lock is free.
    Frees,
}

/// The fence clock (mint.lua). The rehearsal of `build` has begun it before a run starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FenceClock {
    /// The last fence that was given out.
    pub last: u8,
    /// What the next life of the server goes on from.
    pub ceiling: u8,
    /// Which life of the server this is.
    pub life: u8,
}

impl FenceClock {
    /// mint.lua: the clock after `count` fences more. A new master's time may be behind by anything, so it counts only if the clock
    /// is lost.
    pub fn mint(before: Option<Self>, count: u8, life: u8, now: Tick, scenario: &Scenario) -> Self {
        let Self { mut last, mut ceiling, life: before_life } = before.unwrap_or_default();
        if before.is_none() && !scenario.is("a_lost_fence_clock_that_begins_from_nothing") {
            last = scenario.time_as_fence(now);
        }
        if life != before_life && !scenario.is("a_new_life_of_the_server_that_is_ignored") {
            last = last.max(ceiling);
        }
        last += count;
        if last + 3 * scenario.block > ceiling {
            ceiling = last + 4 * scenario.block;
        }
        Self { last, ceiling, life }
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) token: Token,
    pub(crate) ttl: Tick,
    pub(crate) fenced: bool,
    /// The last tick at which it counts unless it is asked for again.
    pub(crate) counts: Tick,
}

/// What a script can see besides the keys, and where its messages go.
pub(crate) struct Surroundings<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) now: Tick,
    /// Which life of the server this is.
    pub(crate) life: u8,
    /// Where each client listens.
    pub(crate) listening: Vec<Listens>,
    pub(crate) messages: Vec<Packet>,
}

impl Surroundings<'_> {
    pub(crate) fn is(&self, weakened: &str) -> bool {
        self.scenario.is(weakened)
    }

    /// Whether somebody is there to hear, as far as this server knows.
    pub(crate) fn listens(&self, token: Token) -> bool {
        self.listening.get(usize::from(token.client)) == Some(&Listens::Here)
    }

    /// A message goes to the subscribers of replicas, too.
    fn publish(&mut self, token: Token, body: Body) {
        if self.listening.get(usize::from(token.client)).is_some_and(|listens| *listens != Listens::Nowhere) {
            self.messages.push(Packet { token, sent: self.now, body });
        }
    }
}

impl Store {
    pub(crate) fn new(block: u8) -> Self {
        let clock = FenceClock { last: 1, ceiling: 1 + 4 * block, life: 0 };
        Self { lock: None, clock: Some(clock), queue: Vec::new(), rests: false, epoch: None }
    }

    /// Carries a request out and gives the reply.
    pub(crate) fn carry_out(&mut self, request: Packet, around: &mut Surroundings<'_>) -> Packet {
        let token = request.token;
        let body = match request.body {
            Body::Acquire { ttl, again, fenced } => {
                let entry = Entry { token, ttl, fenced, counts: around.now + ENTRY };
                self.acquire(entry, again, around)
            }
            Body::Renew { renewal, more, last } => {
                self.come_back(token, renewal, last, around);
                let first = self.renew(token, renewal, more, around);
                Body::Renewed { renewal, yes: first.is_some(), first: first.flatten() }
            }
            Body::Release => {
                self.release(token, around);
                Body::Released
            }
            other => unreachable!("{other:?} is not for the store"),
        };
        Packet { body, ..request }
    }

    /// Redis drops what has expired. The queue goes when nobody has asked for as long as an entry counts.
    pub(crate) fn expire(&mut self, now: Tick) {
        self.lock = self.lock.filter(|lock| lock.expires > now);
        self.rests = false;
        self.epoch = self.epoch.map(|epoch| epoch.at(now));
        if self.queue.iter().all(|entry| entry.counts < now) {
            self.queue.clear();
        }
    }

    /// The client of another kind takes the free lock.
    pub(crate) fn take_by_foreign(&mut self, now: Tick) {
        self.take_plainly(FOREIGN, now + FOREIGN_TTL);
    }

    /// The plain command.
    fn take_plainly(&mut self, owner: Token, expires: Tick) {
        self.lock = Some(Lock { owner, expires, last: 0, since: 0, unbroken: None, marked: false, is_plain: true });
    }

    pub(crate) fn is_owner(&self, token: Token) -> bool {
        self.lock.is_some_and(|lock| lock.owner == token)
    }

    fn leave_queue(&mut self, token: Token) {
        self.queue.retain(|entry| entry.token != token);
    }

    /// The first of `count` fences.
    fn mint(&mut self, count: u8, around: &Surroundings<'_>) -> u8 {
        let clock = FenceClock::mint(self.clock, count, around.life, around.now, around.scenario);
        self.clock = Some(clock);
        clock.last - count + 1
    }

    /// The lock is the entry's. Returns the first of its fences. A message has one in any case, by which it can be told from older
    /// ones.
    fn grant(&mut self, entry: Entry, unbroken: Option<Tick>, around: &Surroundings<'_>) -> u8 {
        let Entry { token: owner, ttl, fenced, .. } = entry;
        let needs_one = unbroken.is_some() || around.scenario.guard.is_some();
        let count = if fenced { around.scenario.block } else { u8::from(needs_one) };
        let is_unminted = count == 0 || !fenced && around.is("a_hand_over_whose_fence_is_given_out_again");
        let first =
            if is_unminted { self.clock.map_or(0, |clock| clock.last) + count } else { self.mint(count, around) };
        let breaks = around.scenario.free_every != Tick::MAX;
        self.lock = Some(Lock {
            owner,
            expires: around.now + ttl,
            last: if fenced || around.scenario.guard.is_some() { first + count - 1 } else { 0 },
            since: if breaks { around.now } else { 0 },
            unbroken: unbroken.filter(|_| breaks),
            marked: !self.queue.is_empty() && (unbroken.is_none() || !around.is("a_mark_that_is_lost_by_a_hand_over")),
            is_plain: false,
        });
        first
    }

    /// A plain command if no fence is asked for, acquire.lua and wait.lua.
    fn acquire(&mut self, entry: Entry, again: bool, around: &mut Surroundings<'_>) -> Body {
        let Entry { token, ttl, fenced, .. } = entry;
        if self.is_closed(around) {
            return self.wait_for_the_opening(entry, again, around);
        }
        let is_guarded = around.scenario.guard.is_some();
        if !fenced
            && !again
            && !is_guarded
            && (self.lock.is_none() || around.is("a_plain_command_that_takes_what_is_taken"))
        {
            self.take_plainly(token, around.now + ttl);
            return Body::Granted { first: 0, waiting: false };
        }
        match &mut self.lock {
            None if self.queue.is_empty() || around.is("a_queue_that_is_jumped") => {
                return Body::Granted { first: self.grant(entry, None, around), waiting: false };
            }
            None if self.rests && self.queue[0].token != token => {}
            None => {
                self.rests = false;
                if !self.hand_over(token, Why::Asks, None, around) {
                    self.leave_queue(token);
                    let first = self.grant(entry, None, around);
                    return Body::Granted { first, waiting: !self.queue.is_empty() };
                }
            }
            Some(lock) if lock.owner == token => {
                lock.expires = lock.expires.max(around.now + ttl);
                let count = if fenced { around.scenario.block } else { u8::from(is_guarded) };
                let first = if lock.last == 0 { 0 } else { lock.last + 1 - count };
                return Body::Granted { first, waiting: !self.queue.is_empty() };
            }
            Some(_) => {}
        }
        self.queue_up(entry, again, around);
        Body::Busy { last: if again { self.clock.map_or(0, |clock| clock.last) } else { 0 } }
    }

    /// The end of wait.lua: a place in the queue, a mark, and a word to the holder. The value of another client is left alone.
    pub(crate) fn queue_up(&mut self, entry: Entry, again: bool, around: &mut Surroundings<'_>) {
        match self.queue.iter_mut().find(|other| other.token == entry.token) {
            Some(other) => other.counts = entry.counts,
            None => self.queue.push(entry),
        }
        let Some(lock) = &mut self.lock else { return };
        let is_ours = lock.owner != FOREIGN;
        let marks = if is_ours {
            !around.is("a_waiter_that_does_not_mark_the_lock")
        } else {
            around.is("a_mark_on_the_value_of_another_client")
        };
        let was_marked = lock.marked;
        lock.marked |= marks;
        if is_ours && (again || !was_marked) {
            around.publish(lock.owner, Body::Wanted);
        }
    }

    /// renew.lua and reserve.lua: `None` if the lock is not the token's, else the first of the fences if it asked for more.
    fn renew(&mut self, token: Token, by: Renewal, more: bool, around: &Surroundings<'_>) -> Option<Option<u8>> {
        let lock = self.lock.as_mut()?;
        if lock.owner != token && !around.is("a_renewal_without_a_look_at_the_token") {
            return None;
        }
        let expires = around.now + by.ttl;
        if by.shorten || lock.expires < expires || around.is("a_renewal_that_shortens") {
            lock.expires = expires;
        }
        Some(more.then(|| self.reserve(token, around)))
    }

    fn reserve(&mut self, token: Token, around: &Surroundings<'_>) -> u8 {
        let first = self.mint(around.scenario.block, around);
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.owner == token) {
            lock.last = first + around.scenario.block - 1;
            lock.marked &= !around.is("a_mark_that_is_lost_by_more_fences");
        }
        first
    }

    /// release.lua and give.lua.
    fn release(&mut self, token: Token, around: &mut Surroundings<'_>) {
        let may_release = |lock: &Lock| lock.owner == token || around.is("a_release_without_a_look_at_the_token");
        let Some(lock) = self.lock.filter(may_release) else { return self.leave_queue(token) };
        self.lock = None;
        let hands_over = around.is("a_hand_over_while_closed") || !self.is_closed(around);
        if lock.marked && !self.queue.is_empty() && hands_over {
            let free = lock.unbroken.is_some_and(|since| around.now - since >= around.scenario.free_every);
            self.rests |= free;
            let why = if free { Why::Frees } else { Why::Gives };
            self.hand_over(token, why, Some(lock.unbroken.unwrap_or(lock.since)), around);
        }
    }

    /// hand_over.lua: the first in the queue who is there to hear of it gets the lock, or is told that it is free. False if
    /// nobody comes before `me`.
    fn hand_over(&mut self, me: Token, why: Why, unbroken: Option<Tick>, around: &mut Surroundings<'_>) -> bool {
        let free = why == Why::Frees;
        while let Some(&entry) = self.queue.first() {
            let Entry { token, counts, .. } = entry;
            if why == Why::Asks && token == me {
                return false;
            }
            let is_asked_for = counts >= around.now;
            let hears = is_asked_for && token != me && around.listens(token);
            if is_asked_for && !hears && around.is("a_message_before_a_look_at_who_listens") {
                // The script did so once: it published, looked how many heard it, and took back what nobody had.
                let fence = self.clone().mint(1, around);
                around.publish(token, self.word(fence, free));
            }
            let is_told = hears || around.is("a_hand_over_to_the_dead");
            if !(is_told && free) {
                self.queue.remove(0);
            }
            if is_told {
                let fence = if free { 0 } else { self.grant(entry, unbroken.or(Some(around.now)), around) };
                around.publish(token, self.word(fence, free));
                return true;
            }
        }
        false
    }

    fn word(&self, fence: u8, free: bool) -> Body {
        if free { Body::Free } else { Body::HandedOver { fence, waiting: !self.queue.is_empty() } }
    }
}
