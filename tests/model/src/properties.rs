//! What must always hold.

use stateright::Property;

use crate::{
    Protocol, State,
    network::{Body, FOREIGN, Packet, Token},
    store::{Store, Surroundings},
};

/// Nobody acts on a lock while somebody else does.
pub const EXCLUSION: &str = "mutual exclusion";
/// Who believes to have the lock has it in the store, foreign clients included; and after a failover with a guard, when the new server
/// opens.
pub const BACKED: &str = "a believer has the lock in the store";
/// Each turn has a higher fence than every turn that began before.
pub const FENCES: &str = "fences rise in the order of turns";
/// A lock that comes back after a failover takes the place of none that was granted later.
pub const LATEST: &str = "no lock goes back to an older hold";
/// Nobody gets the lock before a live waiter who asked for it earlier, but for who takes a free one by a plain command.
pub const QUEUE: &str = "the queue is served in order";
/// A lock that somebody waits for has the mark, so that its release looks at the queue, but for one that a plain command took:
/// who waits marks that when asking again.
pub const MARKED: &str = "who waits has marked the lock";
/// The value of another client stays as it wrote it.
pub const UNTOUCHED: &str = "the value of another client is not marked";
/// Who was told that somebody waits gives the lock away after the agreed turns.
pub const YIELDS: &str = "a holder who was told gives way";
/// From every state on, in a world that got well, each live waiter gets the lock as soon as it can be had, and no live
/// client leaves a lock behind.
pub const SETTLES: &str = "no lost wake-up and no orphan";

/// What no single state shows: it is noted when it happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    last_fence: u8,
    fence_fell: bool,
    overtaken: bool,
    went_back: bool,
    greedy: bool,
    /// Whose lock changed by a promotion that lost a write: without a guard the promise is for as long as the store keeps what it was
    /// told. With one it holds all the same, but for what is left behind.
    pub(crate) robbed: Vec<Token>,
}

impl Witness {
    pub(crate) fn turn_started(&mut self, token: Token, fence: Option<u8>, greedy: bool, is_guarded: bool) {
        self.greedy |= greedy;
        if let Some(fence) = fence.filter(|_| is_guarded || !self.robbed.contains(&token)) {
            self.fence_fell |= fence <= self.last_fence;
            self.last_fence = fence;
        }
    }

    /// The store is as it was before its last write.
    pub(crate) fn lost_a_write(&mut self, before: &Store, after: &Store) {
        if before.lock != after.lock {
            self.robs([before.lock, after.lock].into_iter().flatten().map(|lock| lock.owner));
        }
    }

    fn robs(&mut self, tokens: impl IntoIterator<Item = Token>) {
        self.robbed.extend(tokens);
        self.robbed.sort();
        self.robbed.dedup();
    }

    /// Looks at what a request did to the store: whether somebody got the lock before one who was there, and earlier. A lock that
    /// comes back was granted before; if it is of no use any more, it stays until its TTL.
    pub(crate) fn carried_out(
        &mut self,
        request: Packet,
        before: &Store,
        after: &Store,
        around: &Surroundings<'_>,
        is_of_use: bool,
    ) {
        if let Body::Renew { last, .. } = request.body {
            let is_later = before.lock.is_some_and(|lock| lock.last >= last && lock.owner != request.token);
            self.went_back |= is_later && after.is_owner(request.token);
            if !is_of_use && !before.is_owner(request.token) && after.is_owner(request.token) {
                self.robs([request.token]);
            }
            return;
        }
        if let Some(lock) = after.lock.filter(|lock| !lock.is_plain && !before.is_owner(lock.owner)) {
            let mut earlier = before.queue.iter().take_while(|entry| entry.token != lock.owner);
            self.overtaken |= earlier.any(|entry| entry.counts >= around.now && around.listens(entry.token));
        }
    }
}

impl Protocol {
    /// Whether the lock of a token is none any more, which it learns at its next renewal.
    fn is_excused(&self, state: &State, token: Token) -> bool {
        self.scenario.guard.is_none() && state.witness.robbed.contains(&token)
    }
}

pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(EXCLUSION, |protocol: &Protocol, state: &State| {
            state.believers().filter(|token| !protocol.is_excused(state, *token)).count() <= 1
        }),
        Property::always(BACKED, |protocol: &Protocol, state: &State| {
            let is_backed = |token| state.store.is_owner(token) || protocol.is_excused(state, token);
            protocol.is_closed_yet(state) || state.believers().all(is_backed)
        }),
        Property::always(FENCES, |_, state: &State| !state.witness.fence_fell),
        Property::always(LATEST, |_, state: &State| !state.witness.went_back),
        Property::always(QUEUE, |_, state: &State| !state.witness.overtaken),
        Property::always(MARKED, |_, State { store, .. }| {
            store.queue.is_empty() || store.lock.is_none_or(|lock| lock.marked || lock.is_plain)
        }),
        Property::always(UNTOUCHED, |_, State { store, .. }| {
            store.lock.is_none_or(|lock| !lock.marked || lock.owner != FOREIGN)
        }),
        Property::always(YIELDS, |_, state: &State| !state.witness.greedy),
        Property::always(SETTLES, Protocol::settles),
    ]
}
