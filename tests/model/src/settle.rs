//! What becomes of a state if nothing bad happens any more.
//!
//! "A waiter gets the lock" is no property of a state. So from every state that can be reached, the run goes on in a
//! world that got well: what is under way arrives, clients do what they have to do as soon as they can, and only then the
//! time goes on. There every live waiter must get the lock when it can be had, and nobody may leave it behind.

use crate::{Action, Protocol, State, client::Listens, scenario::Tick};

/// A repeated request or release may have been sent in the same tick already: it is due in the next.
const GRACE: Tick = 1;

impl Protocol {
    /// Whether all ends well. It does not if a live client waits although nobody alive has the lock, and the lease of the dead
    /// is over; or if one left the lock behind and does not give it back.
    pub(crate) fn settles(&self, state: &State) -> bool {
        let mut state = state.clone();
        self.calm_down(&mut state);
        let start = state.now;
        // Who listens elsewhere is told nothing, and finds out by asking.
        let untold = state.clients.iter().filter(|client| client.listens == Listens::AtReplica).count() as Tick;
        let patience = left_to_the_dead(&state) + GRACE * (1 + untold);
        let mut idle = 0;
        while !self.is_over(&state) {
            let waits = state.clients.iter().any(|client| client.pending.is_some());
            let may_be_had = !self.is_closed_yet(&state) && state.clients.iter().all(|client| client.lease.is_none());
            idle += Tick::from(waits && may_be_had);
            let is_orphaned = state.now > start + GRACE && is_orphaned(&state);
            if is_orphaned || idle > patience || state.now > start + 40 {
                return false;
            }
            self.apply(&mut state, Action::Tick);
            self.calm_down(&mut state);
        }
        true
    }

    /// Everything happens that happens without the time going on. No turn is so long that its lease is shortened.
    fn calm_down(&self, state: &mut State) {
        let is_awaited = |action: &Action| !matches!(action, Action::Shorten(_));
        loop {
            let packet = state.network.astray().chain(state.network.in_order()).next().map(Action::Deliver);
            let own = || self.live(state).flat_map(|(client, step)| self.due(state, client, &step)).find(is_awaited);
            let Some(action) = packet.or_else(own) else { break };
            self.apply(state, action);
        }
    }

    fn is_over(&self, state: &State) -> bool {
        self.live(state)
            .all(|(client, step)| client.task(&step).is_none() && client.lease.is_none() && client.releases.is_empty())
    }
}

/// How long the lock belongs yet to somebody who will not give it back.
fn left_to_the_dead(state: &State) -> Tick {
    let lock = state.store.lock.filter(|lock| {
        let client = state.clients.get(usize::from(lock.owner.client));
        client.is_none_or(|client| !client.uses(lock.owner.number))
    });
    lock.map_or(0, |lock| lock.expires - state.now)
}

fn is_orphaned(state: &State) -> bool {
    state.store.lock.is_some_and(|lock| {
        let client = state.clients.get(usize::from(lock.owner.client)).filter(|client| client.is_alive());
        client.is_some_and(|client| !client.uses(lock.owner.number)) && !state.witness.robbed.contains(&lock.owner)
    })
}
