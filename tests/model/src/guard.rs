//! The failover guard: a server that may lack what was granted last grants nothing for a while, and holders bring their locks back
//! (`scripts/guard` of the runtime).

use crate::{
    network::Token,
    properties::LATEST,
    scenario::{Step, Tick},
    store::{Lock, Store},
};

/// For how many ticks a new master is closed: for as long as what the old one granted may last.
const QUARANTINE: Tick = 2;

/// A life of the server, as the first request that looked at it found it. It is copied as everything else is, so a new master finds
/// that of the server before. The first life has been open for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Epoch {
    pub(crate) life: u8,
    /// From when on it grants locks; 0 once that is past.
    pub(crate) opens: Tick,
}

impl Store {
    /// closed.lua. What a client knows of an epoch it knows of the connection, so that nobody knows that of a new master. Where the
    /// key's slot has come from a client asks first (`cluster/moves.rs` of the runtime).
    pub(crate) fn is_closed(&mut self, step: &Step<'_>) -> bool {
        let is_taken_for_open = self.has_moved && step.is("a_slot_of_a_closed_server_that_is_taken_for_open");
        if !step.scenario.guarded || step.is("a_failover_without_a_guard") || is_taken_for_open {
            return false;
        }
        let opens = match self.epoch {
            Some(epoch) if epoch.life == step.life => epoch.opens,
            Some(_) if step.is("an_epoch_that_is_kept_over_connections") => return false,
            None if step.life == 0 => 0,
            _ => step.now + QUARANTINE - u8::from(step.is("a_quarantine_that_is_too_short")),
        };
        self.epoch = Some(Epoch { life: step.life, opens });
        opens > step.now
    }

    /// come_back.lua: a renewal of a lock that is not the token's any more brings it back while the server is closed, unless somebody
    /// has it who was granted it later. It does not look at the queue. A server that the key's slot has gone to brings nothing back.
    pub(crate) fn come_back(&mut self, token: Token, ttl: Tick, last: u8, step: &mut Step<'_>) {
        if self.is_owner(token) || self.has_moved || !self.is_closed(step) {
            return;
        }
        let is_older = |lock: Lock| lock.last > 0 && lock.last < last;
        if self.lock.is_none_or(is_older) || step.is("a_hold_that_comes_back_without_a_look_at_fences") {
            if self.lock.is_some_and(|lock| lock.last >= last) {
                step.broken = Some(LATEST);
            }
            let expires = step.now + ttl;
            self.lock = Some(Lock { owner: token, expires, last, is_plain: true, is_left: true, marked: false });
        }
    }
}
