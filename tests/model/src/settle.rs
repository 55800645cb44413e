//! What becomes of a state if nothing bad happens any more.
//!
//! "A waiter gets the lock" is no property of a state. So from every state that can be reached, the run goes on in a
//! world that got well: what is under way arrives, clients do what they have to do as soon as they can, and only then the
//! time goes on. There every live waiter must get the lock when it can be had.

use crate::{Action, Protocol, State, client::Client, clock::Tick, store::Ear};

/// What goes wrong even in a world that got well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A live client waits although nobody alive has the lock, and the lease of the dead is over.
    Waits,
    /// A live client left the lock behind and does not give it back.
    Orphan,
}

/// A repeated question or release may have been sent in the same tick already: it is due in the next.
const GRACE: Tick = 1;

impl Protocol {
    pub(crate) fn settle(&self, state: &State) -> Result<(), Trouble> {
        let mut state = state.clone();
        self.calm_down(&mut state);
        let start = state.now;
        // Who listens elsewhere is told nothing, and finds out by asking.
        let untold = self.live(&state).filter(|(_, client)| client.ear == Ear::AtReplica).count() as Tick;
        let patience = self.left_to_the_dead(&state) + GRACE * (1 + untold);
        let mut idle = 0;
        while !self.is_over(&state) {
            if state.now > start + GRACE && self.orphaned(&state) {
                return Err(Trouble::Orphan);
            }
            let waits = self.live(&state).any(|(_, client)| client.ask.is_some());
            idle += Tick::from(waits && self.live(&state).all(|(_, client)| client.lease.is_none()));
            if idle > patience || state.now > start + 40 {
                return Err(Trouble::Waits);
            }
            self.apply(&mut state, Action::Tick);
            self.calm_down(&mut state);
        }
        Ok(())
    }

    /// Everything happens that happens without the time going on.
    fn calm_down(&self, state: &mut State) {
        while let Some(action) = self.due(state) {
            self.apply(state, action);
        }
    }

    fn due(&self, state: &State) -> Option<Action> {
        let packet = state.network.astray().chain(state.network.in_order()).next().map(Action::Deliver);
        packet.or_else(|| self.live(state).find_map(|(id, client)| self.own_due(state, id, client)))
    }

    fn own_due(&self, state: &State, id: u8, client: &Client) -> Option<Action> {
        let (scenario, now) = (&self.scenario, state.now);
        let wants = client.task(scenario, id).is_some();
        let due = [
            (client.turn.is_some(), Action::EndTurn(id)),
            (client.can_start(scenario, id, now), Action::StartTurn(id)),
            (client.can_release(scenario, id), Action::Release(id)),
            (client.can_renew(scenario, id, now), Action::Renew(id)),
            (wants && client.can_ask(), Action::Ask(id)),
            (client.can_ask_again(now, scenario), Action::AskAgain(id)),
            (client.can_release_again(now).is_some(), Action::ReleaseAgain(id)),
        ];
        due.into_iter().find_map(|(due, action)| due.then_some(action))
    }

    fn is_over(&self, state: &State) -> bool {
        self.live(state).all(|(id, client)| {
            client.task(&self.scenario, id).is_none() && client.lease.is_none() && client.owed.is_empty()
        })
    }

    /// How long the lock belongs yet to somebody who will not give it back.
    fn left_to_the_dead(&self, state: &State) -> Tick {
        let lock = state.store.lock.filter(|lock| {
            let client = state.clients.get(usize::from(lock.owner.client));
            client.is_none_or(|client| client.crashed || !client.uses(lock.owner))
        });
        lock.map_or(0, |lock| lock.expires - state.now)
    }

    fn orphaned(&self, state: &State) -> bool {
        let alive = |client: &&Client| !client.crashed;
        state.store.lock.is_some_and(|lock| {
            let client = state.clients.get(usize::from(lock.owner.client)).filter(alive);
            let robbed = state.witness.robbed.contains(&lock.owner);
            client.is_some_and(|client| !client.uses(lock.owner) && !robbed)
        })
    }
}
