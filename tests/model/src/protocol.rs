//! The steps of the whole: what can happen next, and what it leads to.

use stateright::{Model, Property};

use crate::{
    Mishap, Scenario,
    client::{Client, Listens, Step},
    guard::Epoch,
    network::{Body, FOREIGN, Network, Packet, Token},
    properties::{self, Witness},
    scenario::Tick,
    store::{Store, Surroundings},
};

/// The protocol at a size.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// What is let happen.
    pub scenario: Scenario,
    /// The one property to be checked, if not all are.
    pub only: Option<&'static str>,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) now: Tick,
    pub(crate) store: Store,
    /// What a replica has that lacks the last write, as long as it may yet be promoted.
    before: Option<Store>,
    pub(crate) network: Network,
    pub(crate) clients: Vec<Client>,
    /// What bad may happen yet.
    mishaps: Vec<Mishap>,
    pub(crate) witness: Witness,
    /// Which life of the server this is: a promotion begins a new one.
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
    AskAgain(u8),
    ReleaseAgain(u8),
    Shorten(u8),
    Cancel(u8),
    Crash(u8),
    /// The client notices that it listens at a replica, and moves.
    Move(u8),
    ForeignTakes,
    ForeignReleases,
    RestEnds,
    /// Somebody deletes the fence clock.
    LoseClock,
    /// The replica becomes the master. No connection is closed by that: who listened at the one listens at the other.
    Promote,
    /// The same, and it lacks the last write, or all since it lags.
    PromoteWithoutLastWrite,
    /// From now on the replica copies nothing.
    Lag,
}

impl Action {
    fn mishap(self) -> Option<Mishap> {
        match self {
            Self::Repeat(_) => Some(Mishap::Repeat),
            Self::Lose(_) => Some(Mishap::Loss),
            Self::Divert(_) => Some(Mishap::Stray),
            Self::Cancel(_) => Some(Mishap::Cancel),
            Self::Crash(_) => Some(Mishap::Crash),
            Self::ForeignTakes => Some(Mishap::Foreign),
            Self::LoseClock => Some(Mishap::LostClock),
            Self::Promote | Self::PromoteWithoutLastWrite => Some(Mishap::Promotion),
            _ => None,
        }
    }
}

impl Protocol {
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
            Action::EndTurn(id) => self.step(state, id, |client, _| client.end()),
            Action::StartTurn(id) => self.step(state, id, Client::start),
            Action::Release(id) => self.step(state, id, Client::release),
            Action::Renew(id) => self.step(state, id, |client, step| client.renew(step, false)),
            Action::Ask(id) => self.step(state, id, Client::ask),
            Action::AskAgain(id) => self.step(state, id, Client::ask_again),
            Action::ReleaseAgain(id) => self.step(state, id, Client::release_again),
            Action::Shorten(id) => self.step(state, id, |client, step| client.renew(step, true)),
            Action::Cancel(id) => self.step(state, id, Client::cancel),
            Action::Crash(id) => self.step(state, id, |client, _| *client = Client::new(Listens::Nowhere)),
            Action::Move(id) => self.step(state, id, |client, _| client.listens = Listens::Here),
            Action::ForeignTakes => state.store.take_by_foreign(state.now),
            Action::ForeignReleases => state.store.lock = None,
            Action::RestEnds => state.store.rests = false,
            Action::LoseClock => state.store.clock = None,
            Action::Promote => state.promote(&self.scenario),
            Action::Lag => state.before = Some(state.store.clone()),
            Action::PromoteWithoutLastWrite => {
                if let Some(lacking) = state.before.take() {
                    state.witness.lost_a_write(&state.store, &lacking);
                    state.store = lacking;
                    let behind = self.scenario.lags.unwrap_or(0);
                    state.store.lock.iter_mut().for_each(|lock| lock.expires += behind);
                    state.store.expire(state.now);
                }
                state.promote(&self.scenario);
            }
        }
        let State { network, clients, .. } = state;
        network.retain(|packet| packet.is_request() || clients[usize::from(packet.token.client)].heeds(packet));
    }

    fn step(&self, state: &mut State, id: u8, action: impl FnOnce(&mut Client, &mut Step<'_>)) {
        let mut step = Step::new(id, state.now, &self.scenario);
        action(&mut state.clients[usize::from(id)], &mut step);
        step.send.into_iter().for_each(|packet| state.network.send(packet));
        if let Some((token, fence, greedy)) = step.started {
            state.witness.turn_started(token, fence, greedy, self.scenario.guard.is_some());
        }
    }

    fn tick(&self, state: &mut State) {
        state.now += 1;
        state.store.expire(state.now);
        let oldest = state.now.saturating_sub(self.scenario.longest_ttl());
        state.network.retain(|packet| packet.sent >= oldest);
        for id in 0..state.clients.len() {
            self.step(state, id as u8, Client::tick);
        }
    }

    fn deliver(&self, state: &mut State, packet: Packet) {
        if !packet.is_request() {
            return self.step(state, packet.token.client, |client, step| client.receive(packet, step));
        }
        let listening = state.clients.iter().map(|client| client.listens).collect();
        let State { now, life, .. } = *state;
        let mut around = Surroundings { scenario: &self.scenario, now, life, listening, messages: Vec::new() };
        let before = state.store.clone();
        let reply = state.store.carry_out(packet, &mut around);
        let is_of_use = state.clients[usize::from(packet.token.client)].uses(packet.token.number);
        state.witness.carried_out(packet, &before, &state.store, &around, is_of_use);
        if self.scenario.lags.is_none() && state.mishaps.contains(&Mishap::Promotion) && before != state.store {
            state.before = Some(before);
        }
        let hears = state.clients[usize::from(packet.token.client)].is_alive();
        around.messages.into_iter().chain(hears.then_some(reply)).for_each(|packet| state.network.send(packet));
    }

    pub(crate) fn live<'a>(&self, state: &'a State) -> impl Iterator<Item = (&'a Client, Step<'_>)> {
        let step = |id| Step::new(id as u8, state.now, &self.scenario);
        let clients = state.clients.iter().enumerate().map(move |(id, client)| (client, step(id)));
        clients.filter(|(client, _)| client.is_alive())
    }

    /// The steps that a client has to take some time, the most urgent first. It asks nothing twice while the answer can come in
    /// order.
    pub(crate) fn due<'a>(&self, state: &'a State, client: &'a Client, step: &Step<'_>) -> Vec<Action> {
        let id = step.id;
        let asks = |packet: &Packet| {
            matches!(packet.body, Body::Acquire { .. } | Body::Granted { .. } | Body::Busy { .. } | Body::Closed)
                && client.uses(packet.token.number)
        };
        let renews = |packet: &Packet| matches!(packet.body, Body::Renew { .. } | Body::Renewed { .. });
        let releases = |packet: &Packet| matches!(packet.body, Body::Release | Body::Released);
        let due = [
            (client.turn.is_some(), Action::EndTurn(id)),
            (client.can_start(step), Action::StartTurn(id)),
            (client.can_release(step), Action::Release(id)),
            (client.can_renew(step) && !state.network.expects(id, renews), Action::Renew(id)),
            (client.can_ask(step), Action::Ask(id)),
            (client.can_ask_again(step) && !state.network.expects(id, asks), Action::AskAgain(id)),
            (client.can_release_again(step) && !state.network.expects(id, releases), Action::ReleaseAgain(id)),
            (client.can_shorten(step) && !state.network.expects(id, renews), Action::Shorten(id)),
        ];
        due.into_iter().filter_map(|(is_due, action)| is_due.then_some(action)).collect()
    }
}

impl Protocol {
    fn may_lag(&self, state: &State) -> bool {
        self.scenario.lags.is_some() && state.before.is_none() && state.mishaps.contains(&Mishap::Promotion)
    }

    /// Whether the server has yet to open, as far as anybody who looks at it could say.
    pub(crate) fn is_closed_yet(&self, state: &State) -> bool {
        let opens = |epoch: &Epoch| epoch.life == state.life && epoch.opens <= state.now;
        self.scenario.guard.is_some() && state.life > 0 && !state.store.epoch.as_ref().is_some_and(opens)
    }
}

impl State {
    fn promote(&mut self, scenario: &Scenario) {
        self.life += 1;
        self.before = None;
        // The old master is dead, and who listened there listens at the new one.
        if scenario.lags.is_some() {
            return;
        }
        for client in &mut self.clients {
            client.listens = match client.listens {
                Listens::Here => Listens::AtReplica,
                Listens::AtReplica => Listens::Here,
                Listens::Nowhere => Listens::Nowhere,
            };
        }
    }

    /// Who acts on the belief that it has the lock.
    pub(crate) fn believers(&self) -> impl Iterator<Item = Token> + '_ {
        let clients = self.clients.iter().enumerate();
        clients.filter_map(|(id, client)| client.believes().map(|number| Token { client: id as u8, number }))
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let clients = self.scenario.clients.len();
        let client = |id| Client::new(if id < self.scenario.at_replica { Listens::Here } else { Listens::AtReplica });
        vec![State {
            now: 1,
            store: Store::new(self.scenario.block),
            before: None,
            network: Network::new(clients),
            clients: (0..clients).map(client).collect(),
            mishaps: self.scenario.mishaps.clone(),
            witness: Witness::default(),
            life: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let State { now, store, network, .. } = state;
        actions.extend(network.astray().map(Action::Deliver));
        for packet in network.in_order() {
            actions.extend([Action::Deliver(packet), Action::Lose(packet), Action::Divert(packet)]);
            actions.extend(packet.is_message().then_some(Action::Repeat(packet)));
        }
        for (client, step) in self.live(state) {
            actions.extend(self.due(state, client, &step));
            actions.extend(client.pending.as_ref().map(|_| Action::Cancel(step.id)));
            actions.extend((client.listens == Listens::AtReplica).then_some(Action::Move(step.id)));
            actions.push(Action::Crash(step.id));
        }
        let others = [
            (store.lock.is_none(), Action::ForeignTakes),
            (store.is_owner(FOREIGN), Action::ForeignReleases),
            (store.rests, Action::RestEnds),
            (store.clock.is_some_and(|clock| clock.last < self.scenario.time_as_fence(*now)), Action::LoseClock),
            // One that lags may do so for no time at all.
            (self.scenario.lags.is_none(), Action::Promote),
            (state.before.is_some(), Action::PromoteWithoutLastWrite),
            (self.may_lag(state), Action::Lag),
            (*now < self.scenario.until, Action::Tick),
        ];
        actions.extend(others.into_iter().filter_map(|(possible, action)| possible.then_some(action)));
        actions.retain(|action| action.mishap().is_none_or(|mishap| state.mishaps.contains(&mishap)));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.apply(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = properties::all();
        all.retain(|property| self.only.is_none_or(|only| property.name == only));
        all
    }
}
