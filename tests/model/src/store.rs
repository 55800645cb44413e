//! The scripts of the Redis store, branch by branch, on one key.

use crate::{
    Scenario, Task,
    guard::Epoch,
    network::{Body, Packet, Token},
    properties::QUEUE,
    scenario::{Step, Tick},
};

/// For how many ticks an entry in the queue counts after it was asked for.
const ENTRY: Tick = 2;

/// What the store keeps for the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) lock: Option<Lock>,
    clock: FenceClock,
    pub(crate) queue: Vec<Entry>,
    /// Which life of the server the guard knows, and when that opens.
    pub(crate) epoch: Option<Epoch>,
    /// The key's slot has gone to another server of a cluster, which is open. The epoch is that of the server that it left.
    pub(crate) has_moved: bool,
}

/// The lock: its expiry, and what its value says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    pub(crate) owner: Token,
    pub(crate) expires: Tick,
    /// The last fence that is reserved for the holder.
    pub(crate) last: u8,
    /// Somebody waits.
    pub(crate) marked: bool,
    /// It was taken, or came back, without a look at the queue.
    pub(crate) is_plain: bool,
    /// For the checks: a failover brought it back, perhaps to nobody. Then it stays until its TTL.
    pub(crate) is_left: bool,
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
    /// mint.lua: the clock after `count` fences more. The time counts for nothing: that of a new master may be behind by anything.
    #[must_use]
    pub fn mint(self, count: u8, life: u8, scenario: &Scenario) -> Self {
        let is_begun_anew = life != self.life && !scenario.is("a_new_life_of_the_server_that_is_ignored");
        let last = count + if is_begun_anew { self.last.max(self.ceiling) } else { self.last };
        let reaches = last + 3 * scenario.block > self.ceiling;
        Self { last, ceiling: if reaches { last + 4 * scenario.block } else { self.ceiling }, life }
    }
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) token: Token,
    pub(crate) task: Task,
    /// The last tick at which it counts unless it is asked for again.
    counts: Tick,
}

impl Entry {
    /// Whether somebody still asks for it who is there to hear of it.
    fn listens(&self, step: &Step<'_>) -> bool {
        self.counts >= step.now && step.crashed != Some(self.token.client)
    }
}

impl Store {
    pub(crate) fn new(block: u8) -> Self {
        Self { clock: FenceClock { last: 1, ceiling: 1 + 4 * block, life: 0 }, ..Self::default() }
    }

    /// Carries a request out and gives the reply.
    pub(crate) fn carry_out(&mut self, Packet { token, body, .. }: Packet, step: &mut Step<'_>) -> Body {
        match body {
            Body::Acquire { task, again } => self.acquire(Entry { token, task, counts: step.now + ENTRY }, again, step),
            Body::Renew { ttl, shorten, more, last } => {
                self.come_back(token, ttl, last, step);
                let renewed = self.renew(token, ttl, shorten, step);
                Body::Renewed { yes: renewed, first: (renewed && more).then(|| self.reserve(token, step)) }
            }
            Body::Release => {
                self.release(token, step);
                Body::Released
            }
            other => unreachable!("{other:?} is not for the store"),
        }
    }

    /// Redis drops what has expired. The queue goes when nobody has asked for as long as an entry counts.
    pub(crate) fn expire(&mut self, now: Tick) {
        self.lock = self.lock.filter(|lock| lock.expires > now);
        if let Some(epoch) = self.epoch.as_mut().filter(|epoch| epoch.opens <= now) {
            epoch.opens = 0;
        }
        if self.queue.iter().all(|entry| entry.counts < now) {
            self.queue.clear();
        }
    }

    pub(crate) fn is_owner(&self, token: Token) -> bool {
        self.lock.is_some_and(|lock| lock.owner == token)
    }

    fn leave_queue(&mut self, token: Token) {
        self.queue.retain(|entry| entry.token != token);
    }

    /// The first of `count` fences.
    fn mint(&mut self, count: u8, step: &Step<'_>) -> u8 {
        self.clock = self.clock.mint(count, step.life, step.scenario);
        self.clock.last + 1 - count
    }

    /// The lock is the entry's. Returns the first of its fences. A hand-over has one in any case, by which its message can be told from
    /// older ones.
    fn grant(&mut self, Entry { token: owner, task, .. }: Entry, is_handed_over: bool, step: &mut Step<'_>) -> u8 {
        if self.queue.iter().take_while(|entry| entry.token != owner).any(|entry| entry.listens(step)) {
            step.broken = Some(QUEUE);
        }
        self.leave_queue(owner);
        let count = step.scenario.fences_for(task).max(u8::from(is_handed_over));
        let is_given_out_again = !task.fenced && step.is("a_hand_over_whose_fence_is_given_out_again");
        let first = match count {
            0 => 0,
            _ if is_given_out_again => self.clock.last + 1,
            _ => self.mint(count, step),
        };
        let has_fences = task.fenced || step.scenario.guarded;
        self.lock = Some(Lock {
            owner,
            expires: step.now + task.ttl,
            last: if has_fences { first + count - 1 } else { 0 },
            marked: !self.queue.is_empty() && (!is_handed_over || !step.is("a_mark_that_is_lost_by_a_hand_over")),
            ..Lock::default()
        });
        first
    }

    /// A plain command if no fence is asked for, acquire.lua and wait.lua.
    fn acquire(&mut self, entry: Entry, again: bool, step: &mut Step<'_>) -> Body {
        let Entry { token, task, .. } = entry;
        let is_plain = step.scenario.fences_for(task) == 0 && !again;
        if is_plain && (self.lock.is_none() || step.is("a_plain_command_that_takes_what_is_taken")) {
            let expires = step.now + task.ttl;
            self.lock = Some(Lock { owner: token, expires, is_plain, ..Lock::default() });
            return Body::Granted { first: 0, waiting: false };
        }
        let is_closed = self.is_closed(step);
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.owner == token) {
            // The copy may be old that says so.
            if is_closed && !step.is("a_grant_that_is_repeated_while_closed") {
                return Body::Busy { last: 0 };
            }
            lock.expires = lock.expires.max(step.now + task.ttl);
            let first = if lock.last == 0 { 0 } else { lock.last + 1 - step.scenario.fences_for(task) };
            return Body::Granted { first, waiting: !self.queue.is_empty() };
        }
        let may_be_had = self.lock.is_none() && !is_closed;
        if may_be_had && (step.is("a_queue_that_is_jumped") || !self.hand_over(token, true, step)) {
            let first = self.grant(entry, false, step);
            return Body::Granted { first, waiting: !self.queue.is_empty() };
        }
        self.queue_up(entry, again, step);
        Body::Busy { last: if again && !is_closed { self.clock.last } else { 0 } }
    }

    /// The end of wait.lua: a place in the queue, a mark, and a word to the holder.
    fn queue_up(&mut self, entry: Entry, again: bool, step: &mut Step<'_>) {
        match self.queue.iter_mut().find(|other| other.token == entry.token) {
            Some(other) => other.counts = entry.counts,
            None => self.queue.push(entry),
        }
        if let Some(lock) = &mut self.lock {
            if again || !lock.marked {
                step.send(lock.owner, Body::Wanted);
            }
            lock.marked |= !step.is("a_waiter_that_does_not_mark_the_lock");
        }
    }

    /// renew.lua: whether the lock is the token's.
    fn renew(&mut self, token: Token, ttl: Tick, shorten: bool, step: &Step<'_>) -> bool {
        let is_own = |lock: &&mut Lock| lock.owner == token || step.is("a_renewal_without_a_look_at_the_token");
        let Some(lock) = self.lock.as_mut().filter(is_own) else { return false };
        let expires = step.now + ttl;
        if shorten || lock.expires < expires || step.is("a_renewal_that_shortens") {
            lock.expires = expires;
        }
        true
    }

    /// reserve.lua, and a renewal that asks for more fences: the first of them.
    fn reserve(&mut self, token: Token, step: &Step<'_>) -> u8 {
        let first = self.mint(step.scenario.block, step);
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.owner == token) {
            lock.last = first + step.scenario.block - 1;
            lock.marked &= !step.is("a_mark_that_is_lost_by_more_fences");
        }
        first
    }

    /// release.lua and give.lua.
    fn release(&mut self, token: Token, step: &mut Step<'_>) {
        let is_own = |lock: &Lock| lock.owner == token || step.is("a_release_without_a_look_at_the_token");
        let Some(lock) = self.lock.filter(is_own) else { return self.leave_queue(token) };
        self.lock = None;
        if lock.marked && (step.is("a_hand_over_while_closed") || !self.is_closed(step)) {
            self.hand_over(token, false, step);
        }
    }

    /// hand_over.lua: the first in the queue who is there to hear of it gets the lock. False if nobody does, or if `me` is first and
    /// asks for it.
    fn hand_over(&mut self, me: Token, asks: bool, step: &mut Step<'_>) -> bool {
        while let Some(&entry) = self.queue.first() {
            let is_me = entry.token == me;
            if asks && is_me {
                return false;
            }
            if step.is("a_hand_over_to_the_dead") || (!is_me && entry.listens(step)) {
                let fence = self.grant(entry, true, step);
                step.send(entry.token, Body::HandedOver { fence, waiting: !self.queue.is_empty() });
                return true;
            }
            self.queue.remove(0);
        }
        false
    }
}
