//! What must always hold.
//!
//! "A waiter gets the lock" is no property of a state. So from every state that can be reached, the run goes on in a
//! world that got well: what is under way arrives, clients do what they have to do as soon as they can, and only then the
//! time goes on. There every live waiter must get the lock when it can be had, and nobody may leave it behind.

use stateright::Property;

use crate::{Action, Scenario, State, scenario::Tick, store::Lock};

/// Nobody acts on a lock while somebody else does.
pub const EXCLUSION: &str = "mutual exclusion";
/// Who believes to have the lock has it in the store; after a failover, when the new server opens.
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
/// Who was told that somebody waits gives the lock away after the agreed turns.
pub const YIELDS: &str = "a holder who was told gives way";
/// From every state on, in a world that got well, each live waiter gets the lock as soon as it can be had, and no live
/// client leaves a lock behind.
pub const SETTLES: &str = "no lost wake-up and no orphan";

pub(crate) fn all() -> Vec<Property<Scenario>> {
    vec![
        Property::always(EXCLUSION, |_, state: &State| state.believers().count() <= 1),
        Property::always(BACKED, |scenario: &Scenario, state: &State| {
            scenario.is_closed_yet(state) || state.believers().all(|token| state.store.is_owner(token))
        }),
        Property::always(FENCES, |_, state: &State| state.broken != Some(FENCES)),
        Property::always(LATEST, |_, state: &State| state.broken != Some(LATEST)),
        Property::always(QUEUE, |_, state: &State| state.broken != Some(QUEUE)),
        Property::always(MARKED, |_, State { store, .. }| {
            store.queue.is_empty() || store.lock.is_none_or(|lock| lock.marked || lock.is_plain)
        }),
        Property::always(YIELDS, |_, state: &State| state.broken != Some(YIELDS)),
        Property::always(SETTLES, Scenario::settles),
    ]
}

/// A repeated request or release may have been sent in the same tick already: it is due in the next.
const GRACE: Tick = 1;

impl Scenario {
    /// Whether all ends well. It does not if a live client waits although nobody alive has the lock, and the lease of the dead
    /// is over; or if one left the lock behind and does not give it back.
    fn settles(&self, state: &State) -> bool {
        // Otherwise it ends as the state that comes next, which is looked at itself.
        if self.awaited(state).is_some() {
            return true;
        }
        let mut state = state.clone();
        let start = state.now;
        let patience = GRACE + unused(&state).map_or(0, |lock| lock.expires - start);
        let mut idle = 0;
        while !self.is_over(&state) {
            let waits = state.clients.iter().any(|client| client.pending.is_some());
            let may_be_had = !self.is_closed_yet(&state) && state.believers().next().is_none();
            idle += Tick::from(waits && may_be_had);
            let is_orphaned = state.now > start + GRACE
                && unused(&state).is_some_and(|lock| !lock.is_left && state.crashed != Some(lock.owner.client));
            if is_orphaned || idle > patience || state.now > start + 40 {
                return false;
            }
            self.apply(&mut state, Action::Tick);
            while let Some(action) = self.awaited(&state) {
                self.apply(&mut state, action);
            }
        }
        true
    }

    /// What happens next without the time going on. No turn is so long that its lease is shortened.
    fn awaited(&self, state: &State) -> Option<Action> {
        let mut own = self.live(state).flat_map(|(client, step)| client.due(&state.network, &step));
        let packet = state.network.next().next().map(Action::Deliver);
        packet.or_else(|| own.find(|action| !matches!(action, Action::Shorten(_))))
    }

    fn is_over(&self, state: &State) -> bool {
        self.live(state)
            .all(|(client, step)| client.task(&step).is_none() && client.lease.is_none() && client.releases.is_empty())
    }
}

/// The lock, if it belongs to somebody who has no use for it.
fn unused(state: &State) -> Option<Lock> {
    state.store.lock.filter(|lock| !state.clients[usize::from(lock.owner.client)].uses(lock.owner.number))
}
