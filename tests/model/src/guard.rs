//! The failover guard: a server that may lack what was granted last grants nothing for a while, and holders bring their locks back
//! (`scripts/guard` of the runtime).

use crate::{
    network::{Body, Renewal, Token},
    scenario::Tick,
    store::{Entry, Lock, Store, Surroundings},
};

/// A life of the server, as the first request that looked at it found it. It is copied as everything else is, so a new master finds
/// that of the server before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Epoch {
    pub(crate) life: u8,
    /// From when on it grants locks; 0 once that is past.
    pub(crate) opens: Tick,
}

impl Epoch {
    pub(crate) fn at(self, now: Tick) -> Self {
        Self { opens: if self.opens <= now { 0 } else { self.opens }, ..self }
    }
}

impl Store {
    /// closed.lua. The first server has run for long, and was never promoted. What a client knows of an epoch it knows of the
    /// connection, so that nobody knows that of a new master.
    pub(crate) fn is_closed(&mut self, around: &Surroundings<'_>) -> bool {
        let Some(quarantine) = around.scenario.guard else { return false };
        if around.is("a_failover_without_a_guard") {
            return false;
        }
        let now = around.now;
        let opens = match self.epoch {
            Some(epoch) if epoch.life == around.life => epoch.opens,
            Some(_) if around.is("an_epoch_that_is_kept_over_connections") => return false,
            None if around.life == 0 => 0,
            _ => now + quarantine - u8::from(around.is("a_quarantine_that_is_too_short")),
        };
        self.epoch = Some(Epoch { life: around.life, opens }.at(now));
        opens > now
    }

    /// What an acquire gets while the server is closed: a place in the queue. Who has the lock, as far as the server knows, gets
    /// nothing.
    pub(crate) fn wait_for_the_opening(&mut self, entry: Entry, again: bool, around: &mut Surroundings<'_>) -> Body {
        if let Some(lock) = self.lock.as_mut().filter(|lock| lock.owner == entry.token) {
            if around.is("a_grant_that_is_repeated_while_closed") {
                lock.expires = lock.expires.max(around.now + entry.ttl);
                let count = if entry.fenced { around.scenario.block } else { 1 };
                return Body::Granted { first: lock.last + 1 - count, waiting: !self.queue.is_empty() };
            }
        } else {
            self.queue_up(entry, again, around);
        }
        Body::Closed
    }

    /// come_back.lua: a renewal of a lock that is not the token's any more brings it back while the server is closed, unless somebody
    /// has it who was granted it later. It does not look at the queue.
    pub(crate) fn come_back(&mut self, token: Token, by: Renewal, last: u8, around: &Surroundings<'_>) {
        if self.is_owner(token) || !self.is_closed(around) {
            return;
        }
        let is_older = |lock: &Lock| lock.last > 0 && lock.last < last;
        if self.lock.as_ref().is_none_or(is_older) || around.is("a_hold_that_comes_back_without_a_look_at_fences") {
            self.lock = Some(Lock {
                owner: token,
                expires: around.now + by.ttl,
                last,
                since: 0,
                unbroken: None,
                marked: false,
                is_plain: true,
            });
        }
    }
}
