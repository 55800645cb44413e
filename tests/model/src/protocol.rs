//! The steps of the whole: what can happen next, and what it leads to.

use stateright::{Model, Property};

use crate::{
    Mishap, Scenario,
    client::{Client, possible},
    guard::Epoch,
    network::{Network, Packet, Token},
    properties,
    scenario::{Step, Tick},
    store::Store,
};

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) now: Tick,
    pub(crate) store: Store,
    /// What a replica has that copies nothing any more, as long as it may yet take over.
    copy: Option<Store>,
    pub(crate) network: Network,
    pub(crate) clients: Vec<Client>,
    /// At most one does.
    pub(crate) crashed: Option<u8>,
    /// What bad may happen yet.
    mishaps: Vec<Mishap>,
    /// The fence of the last turn that looked at its fence.
    last_fence: u64,
    /// A property that a step broke, which no state shows.
    pub(crate) broken: Option<&'static str>,
    /// Which life of the server this is: a failover begins a new one.
    life: u8,
}

/// One step. A number is that of a client.
#[allow(missing_docs)] // The names say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    Deliver(Packet),
    Repeat(Packet),
    Lose(Packet),
    Divert(Packet),
    EndTurn(u8),
    StartTurn(u8),
    Release(u8),
    Renew(u8),
    Ask(u8),
    ReleaseAgain(u8),
    Shorten(u8),
    Cancel(u8),
    Crash(u8),
    /// From now on the replica copies nothing.
    Lag,
    /// It becomes the master. The old one is dead, and who listened there listens at the new one.
    FailOver,
    /// The key's slot goes to another server of a cluster, and so does all that is asked from now on.
    Move,
}

impl Action {
    fn mishap(self) -> Option<Mishap> {
        Some(match self {
            Self::Repeat(_) => Mishap::Repeat,
            Self::Lose(_) => Mishap::Loss,
            Self::Divert(_) => Mishap::Stray,
            Self::Cancel(_) => Mishap::Cancel,
            Self::Crash(_) => Mishap::Crash,
            Self::FailOver => Mishap::Failover,
            Self::Move => Mishap::Move,
            _ => return None,
        })
    }
}

impl Scenario {
    /// Takes a step.
    pub(crate) fn apply(&self, state: &mut State, action: Action) {
        if let Some(place) = state.mishaps.iter().position(|mishap| action.mishap() == Some(*mishap)) {
            state.mishaps.remove(place);
        }
        match action {
            Action::Tick => self.tick(state),
            Action::Deliver(packet) => {
                state.network.take(packet);
                self.deliver(state, packet);
            }
            Action::Repeat(packet) => self.deliver(state, packet),
            Action::Lose(packet) => state.network.take(packet),
            Action::Divert(packet) => state.network.divert(packet),
            Action::EndTurn(id) => self.step(state, id, |client, _| client.end_turn()),
            Action::StartTurn(id) => self.step(state, id, Client::start_turn),
            Action::Release(id) => self.step(state, id, Client::release),
            Action::Renew(id) => self.step(state, id, |client, step| client.renew(step, false)),
            Action::Ask(id) => self.step(state, id, Client::ask),
            Action::ReleaseAgain(id) => self.step(state, id, Client::release_again),
            Action::Shorten(id) => self.step(state, id, |client, step| client.renew(step, true)),
            Action::Cancel(id) => self.step(state, id, Client::cancel),
            Action::Crash(id) => {
                state.clients[usize::from(id)] = Client::default();
                state.crashed = Some(id);
            }
            Action::Lag => state.copy = Some(state.store.clone()),
            Action::FailOver => self.fail_over(state),
            // What the former server may yet lose by a failover is not about this key any more.
            Action::Move => (state.store.has_moved, state.copy) = (true, None),
        }
        let State { network, clients, crashed, .. } = state;
        let heeds = |id: u8, packet: &Packet| *crashed != Some(id) && clients[usize::from(id)].heeds(packet);
        // Who gets the others does nothing.
        network.0.retain(|packet| packet.is_request() || heeds(packet.token.client, packet));
    }

    fn look(&self, state: &State, client: u8) -> Step<'_> {
        let State { now, life, crashed, last_fence, broken, .. } = *state;
        Step { scenario: self, now, client, life, crashed, sent: Vec::new(), last_fence, broken }
    }

    fn step(&self, state: &mut State, id: u8, action: impl FnOnce(&mut Client, &mut Step<'_>)) {
        let mut step = self.look(state, id);
        action(&mut state.clients[usize::from(id)], &mut step);
        state.is_taken(step);
    }

    fn tick(&self, state: &mut State) {
        state.now += 1;
        state.store.expire(state.now);
        let oldest = state.now.saturating_sub(self.longest_ttl());
        state.network.0.retain(|packet| packet.sent >= oldest);
        for id in 0..state.clients.len() {
            self.step(state, id as u8, Client::tick);
        }
    }

    fn deliver(&self, state: &mut State, packet: Packet) {
        let id = packet.token.client;
        if !packet.is_request() {
            // With the route to a master goes the subscription (`store/redis/route` of the runtime).
            if !packet.is_message() && !self.is("a_message_of_a_former_master_that_is_believed") {
                state.network.leave_former(id, packet.life);
            }
            return self.step(state, id, |client, step| client.receive(packet, step));
        }
        let mut step = self.look(state, id);
        let body = state.store.carry_out(packet, &mut step);
        let is_of_use = state.clients[usize::from(id)].uses(packet.token.number);
        if let Some(lock) = state.store.lock.as_mut().filter(|lock| lock.owner == packet.token) {
            lock.is_left &= !is_of_use;
        }
        step.sent.push(Packet { body, astray: false, life: state.life, ..packet });
        state.is_taken(step);
    }

    fn fail_over(&self, state: &mut State) {
        let Some(mut copy) = state.copy.take() else { return };
        if let Some(lock) = &mut copy.lock {
            lock.is_left |= Some(*lock) != state.store.lock;
            lock.expires += self.behind;
        }
        copy.expire(state.now);
        state.store = copy;
        state.life += 1;
    }

    pub(crate) fn live<'a>(&'a self, state: &'a State) -> impl Iterator<Item = (&'a Client, Step<'a>)> {
        let clients = (0u8..).zip(&state.clients).filter(|(id, _)| state.crashed != Some(*id));
        clients.map(|(id, client)| (client, self.look(state, id)))
    }

    /// Whether the server has yet to open, as far as anybody who looks at it could say.
    pub(crate) fn is_closed_yet(&self, state: &State) -> bool {
        let opens = |epoch: Epoch| epoch.life == state.life && epoch.opens <= state.now;
        self.guarded && state.life > 0 && !state.store.epoch.is_some_and(opens)
    }
}

impl State {
    fn is_taken(&mut self, step: Step<'_>) {
        (self.last_fence, self.broken) = (step.last_fence, step.broken);
        step.sent.into_iter().for_each(|packet| self.network.send(packet));
    }

    /// Who acts on the belief that it has the lock.
    pub(crate) fn believers(&self) -> impl Iterator<Item = Token> + '_ {
        let holders = (0u8..).zip(&self.clients).filter(|(_, client)| client.lease.is_some());
        holders.map(|(id, client)| Token { client: id, number: client.number })
    }
}

impl Model for Scenario {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 1,
            store: Store::new(self.block),
            clients: vec![Client::default(); self.clients.len()],
            mishaps: self.mishaps.to_vec(),
            ..State::default()
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let State { now, copy, network, mishaps, .. } = state;
        for packet in network.next() {
            actions.push(Action::Deliver(packet));
            if !packet.astray {
                actions.extend([Action::Lose(packet), Action::Divert(packet)]);
                actions.extend(packet.is_message().then_some(Action::Repeat(packet)));
            }
        }
        for (client, step) in self.live(state) {
            actions.extend(client.due(&state.network, &step));
            actions.extend(client.pending.as_ref().map(|_| Action::Cancel(step.client)));
            actions.push(Action::Crash(step.client));
        }
        actions.extend(possible([
            // It may do so for no time at all.
            (copy.is_none() && !state.store.has_moved && mishaps.contains(&Mishap::Failover), Action::Lag),
            (copy.is_some(), Action::FailOver),
            (state.life > 0, Action::Move),
            (*now < self.until, Action::Tick),
        ]));
        actions.retain(|action| action.mishap().is_none_or(|mishap| mishaps.contains(&mishap)));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.apply(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
