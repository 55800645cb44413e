//! What must always hold.

use stateright::Property;

use crate::{
    Protocol, State,
    network::{FOREIGN, Token},
    protocol::believers,
    store::{Store, Surroundings},
};

/// Nobody acts on a lock while somebody else does.
pub const EXCLUSION: &str = "mutual exclusion";
/// Who believes to have the lock has it in the store, foreign clients included.
pub const BACKED: &str = "a believer has the lock in the store";
/// Each turn has a higher fence than every turn that began before.
pub const FENCES: &str = "fences rise in the order of turns";
/// Nobody gets the lock before a live waiter who asked for it earlier.
pub const QUEUE: &str = "the queue is served in order";
/// A lock of our kind that somebody waits for has the mark, so that its release looks at the queue.
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
    pub(crate) flaws: Flaws,
    /// Whose lock changed by a promotion that lost a write: the promise is for as long as the store keeps what it was told.
    pub(crate) robbed: Vec<Token>,
}

/// What went wrong on the way to a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flaws {
    pub(crate) fence_fell: bool,
    pub(crate) overtaken: bool,
    pub(crate) greedy: bool,
}

impl Witness {
    pub(crate) fn turn_started(&mut self, token: Token, fence: u8) {
        if self.robbed.contains(&token) {
            return;
        }
        self.flaws.fence_fell |= fence <= self.last_fence;
        self.last_fence = fence;
    }

    /// The store is as it was before its last write.
    pub(crate) fn lost_a_write(&mut self, before: &Store, after: &Store) {
        if before.lock == after.lock {
            return;
        }
        self.robbed.extend([before.lock, after.lock].into_iter().flatten().map(|lock| lock.owner));
        self.robbed.sort();
        self.robbed.dedup();
    }

    /// Looks at what a request did to the store.
    pub(crate) fn carried_out(&mut self, before: &Store, after: &Store, around: &Surroundings<'_>) {
        let owner = after.lock.map(|lock| lock.owner);
        if let Some(owner) = owner.filter(|owner| !before.is_owner(*owner)) {
            self.flaws.overtaken |= overtakes(owner, before, around);
        }
    }
}

/// Whether `owner` got the lock before somebody who was there, and earlier.
fn overtakes(owner: Token, before: &Store, around: &Surroundings<'_>) -> bool {
    let earlier = before.queue.iter().take_while(|seat| seat.token != owner);
    earlier.into_iter().any(|seat| seat.counts >= around.now && around.listens(seat.token))
}

pub(crate) fn all() -> Vec<Property<Protocol>> {
    fn flaws(state: &State) -> Flaws {
        state.witness.flaws
    }
    vec![
        Property::always(EXCLUSION, |_, state: &State| {
            believers(state).filter(|token| !state.witness.robbed.contains(token)).count() <= 1
        }),
        Property::always(BACKED, |_, state: &State| {
            believers(state).all(|token| state.store.is_owner(token) || state.witness.robbed.contains(&token))
        }),
        Property::always(FENCES, |_, state| !flaws(state).fence_fell),
        Property::always(QUEUE, |_, state| !flaws(state).overtaken),
        Property::always(MARKED, |_, State { store, .. }| {
            store.queue.is_empty() || store.lock.is_none_or(|lock| lock.marked || lock.owner == FOREIGN)
        }),
        Property::always(UNTOUCHED, |_, State { store, .. }| {
            store.lock.is_none_or(|lock| !lock.marked || lock.owner != FOREIGN)
        }),
        Property::always(YIELDS, |_, state| !flaws(state).greedy),
        Property::always(SETTLES, |model: &Protocol, state| model.settle(state).is_ok()),
    ]
}
