//! The steps of the whole: what can happen next, and what it leads to.

use stateright::{Model, Property};

use crate::{
    Mishaps, Scenario,
    client::{Client, Step},
    clock::Tick,
    network::{FOREIGN, Network, Packet, Token},
    properties::{self, Witness},
    store::{Ear, Store, Surroundings},
};

/// For how long the client of another kind takes the key.
const FOREIGN_TTL: Tick = 2;

/// The protocol at a size.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub(crate) scenario: Scenario,
    /// The one property to be checked, if not all are.
    pub(crate) only: Option<&'static str>,
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
    pub(crate) mishaps: Mishaps,
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
    Crash(u8),
    Cancel(u8),
    Ask(u8),
    AskAgain(u8),
    StartTurn(u8),
    EndTurn(u8),
    Renew(u8),
    Shorten(u8),
    Release(u8),
    ReleaseAgain(u8),
    ForeignTakes,
    ForeignReleases,
    RestEnds,
    /// Somebody deletes the fence clock.
    LoseClock,
    /// The replica becomes the master. No connection is closed by that: who listened at the one listens at the other.
    Promote,
    /// The same, and it lacks the last write.
    PromoteWithoutLastWrite,
    /// The client notices that it listens at a replica, and moves.
    Move(u8),
}

impl Protocol {
    /// The protocol, to be explored as `scenario` says.
    pub fn new(scenario: Scenario) -> Self {
        Self { scenario, only: None }
    }

    /// Takes a step.
    pub(crate) fn apply(&self, state: &mut State, action: Action) {
        self.take_step(state, action);
        let State { network, clients, .. } = state;
        network.retain(|packet| packet.is_request() || clients[usize::from(packet.token().client)].heeds(packet));
    }

    fn take_step(&self, state: &mut State, action: Action) {
        match action {
            Action::Tick => self.tick(state),
            Action::Deliver(packet) => {
                state.network.take(packet);
                self.deliver(state, packet);
            }
            Action::Repeat(packet) => {
                state.mishaps.repeats -= 1;
                self.deliver(state, packet);
            }
            Action::Lose(packet) => {
                state.mishaps.losses -= 1;
                state.network.take(packet);
            }
            Action::Divert(packet) => {
                state.mishaps.strays -= 1;
                state.network.divert(packet);
            }
            Action::Crash(id) => {
                state.mishaps.crashes -= 1;
                state.clients[usize::from(id)] = Client::crashed();
            }
            Action::Cancel(id) => {
                state.mishaps.cancels -= 1;
                self.step(state, id, Client::cancel);
            }
            Action::Ask(id) => self.step(state, id, |client, step| {
                if let Some(task) = client.task(step.scenario, step.id) {
                    client.ask(step, task);
                }
            }),
            Action::AskAgain(id) => self.step(state, id, Client::ask_again),
            Action::StartTurn(id) => self.step(state, id, Client::start),
            Action::EndTurn(id) => self.step(state, id, |client, _| client.end()),
            Action::Renew(id) => self.step(state, id, Client::renew),
            Action::Shorten(id) => self.step(state, id, Client::shorten),
            Action::Release(id) => self.step(state, id, Client::release),
            Action::ReleaseAgain(id) => self.step(state, id, |client, step| {
                if let Some(place) = client.can_release_again(step.now) {
                    client.release_again(step, place);
                }
            }),
            Action::ForeignTakes => {
                state.mishaps.foreign -= 1;
                state.store.take_by_foreign(state.now + FOREIGN_TTL);
            }
            Action::ForeignReleases => state.store.lock = None,
            Action::RestEnds => state.store.rests = false,
            Action::LoseClock => {
                state.mishaps.clocks -= 1;
                state.store.clock = None;
            }
            Action::Promote => promote(state),
            Action::PromoteWithoutLastWrite => {
                if let Some(lacking) = state.before.take() {
                    state.witness.lost_a_write(&state.store, &lacking);
                    state.store = lacking;
                    state.store.expire(state.now);
                }
                promote(state);
            }
            Action::Move(id) => state.clients[usize::from(id)].ear = Ear::Here,
        }
    }

    fn step(&self, state: &mut State, id: u8, action: impl FnOnce(&mut Client, &mut Step<'_>)) {
        let State { now, clients, network, witness, .. } = state;
        let mut step = Step { id, now: *now, scenario: &self.scenario, send: Vec::new(), witness };
        action(&mut clients[usize::from(id)], &mut step);
        for packet in step.send {
            network.send(packet);
        }
    }

    fn tick(&self, state: &mut State) {
        state.now += 1;
        state.store.expire(state.now);
        state.network.age(state.now, self.scenario.longest_ttl());
        for id in 0..state.clients.len() {
            self.step(state, id as u8, Client::tick);
        }
    }

    fn deliver(&self, state: &mut State, packet: Packet) {
        if packet.is_request() {
            return self.carry_out(state, packet);
        }
        self.step(state, packet.token().client, |client, step| client.receive(packet, step));
    }

    fn carry_out(&self, state: &mut State, request: Packet) {
        let listening: Vec<_> = state.clients.iter().map(|client| (!client.crashed).then_some(client.ear)).collect();
        let mut around = Surroundings {
            now: state.now,
            floor: self.floor(state),
            life: state.life,
            block: self.scenario.block,
            seat: self.scenario.seat,
            free_every: self.scenario.free_every,
            weakened: self.scenario.weakened,
            listening: &listening,
            messages: Vec::new(),
        };
        let before = state.store.clone();
        let reply = state.store.carry_out(request, &mut around);
        if state.mishaps.promotions > 0 && before != state.store {
            state.before = Some(before.clone());
        }
        state.witness.carried_out(&before, &state.store, &around);
        let heard = around.reaches(request.token());
        for packet in around.messages.into_iter().chain(heard.then_some(reply)) {
            state.network.send(packet);
        }
    }

    fn client(&self, id: usize) -> Client {
        let mut client = Client::default();
        if id >= self.scenario.at_replica {
            client.ear = Ear::AtReplica;
        }
        client
    }

    /// The time as a fence.
    pub(crate) fn floor(&self, state: &State) -> u8 {
        state.now * self.scenario.fences_per_tick
    }

    pub(crate) fn live<'a>(&self, state: &'a State) -> impl Iterator<Item = (u8, &'a Client)> {
        state.clients.iter().enumerate().filter(|(_, client)| !client.crashed).map(|(id, client)| (id as u8, client))
    }

    /// The steps that a client can take of its own accord. It asks nothing twice while the answer can come in order.
    fn own_actions(&self, state: &State, id: u8, client: &Client, actions: &mut Vec<Action>) {
        let (scenario, now, network) = (&self.scenario, state.now, &state.network);
        let asks = |packet: &Packet| {
            matches!(packet, Packet::Acquire { .. } | Packet::Granted { .. } | Packet::Busy { .. })
                && client.ask.as_ref().is_some_and(|ask| ask.number == packet.token().number)
        };
        let renews = |packet: &Packet| matches!(packet, Packet::Renew { .. } | Packet::Renewed { .. });
        let releases = |packet: &Packet| matches!(packet, Packet::Release { .. } | Packet::Released { .. });
        let renewal = !network.expects(id, renews);
        let offers = [
            (client.can_ask() && client.task(scenario, id).is_some(), Action::Ask(id)),
            (client.can_ask_again(now, scenario) && !network.expects(id, asks), Action::AskAgain(id)),
            (client.can_start(scenario, id, now), Action::StartTurn(id)),
            (client.turn.is_some(), Action::EndTurn(id)),
            (client.can_renew(scenario, id, now) && renewal, Action::Renew(id)),
            (client.can_shorten(scenario, id, now) && renewal, Action::Shorten(id)),
            (client.can_release(scenario, id), Action::Release(id)),
            (client.can_release_again(now).is_some() && !network.expects(id, releases), Action::ReleaseAgain(id)),
            (client.ask.is_some() && state.mishaps.cancels > 0, Action::Cancel(id)),
            (state.mishaps.crashes > 0, Action::Crash(id)),
            (client.ear == Ear::AtReplica, Action::Move(id)),
        ];
        actions.extend(offers.into_iter().filter_map(|(possible, action)| possible.then_some(action)));
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 1,
            store: Store::new(self.scenario.block),
            before: None,
            network: Network::new(self.scenario.clients.len()),
            clients: (0..self.scenario.clients.len()).map(|id| self.client(id)).collect(),
            mishaps: self.scenario.mishaps,
            witness: Witness::default(),
            life: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(state.network.astray().map(Action::Deliver));
        for packet in state.network.in_order() {
            actions.push(Action::Deliver(packet));
            if state.mishaps.losses > 0 {
                actions.push(Action::Lose(packet));
            }
            if state.mishaps.strays > 0 {
                actions.push(Action::Divert(packet));
            }
            if state.mishaps.repeats > 0 && packet.is_message() {
                actions.push(Action::Repeat(packet));
            }
        }
        for (id, client) in self.live(state) {
            self.own_actions(state, id, client, actions);
        }
        if state.mishaps.foreign > 0 && state.store.lock.is_none() {
            actions.push(Action::ForeignTakes);
        }
        if state.store.is_owner(FOREIGN) {
            actions.push(Action::ForeignReleases);
        }
        if state.store.rests {
            actions.push(Action::RestEnds);
        }
        if state.mishaps.clocks > 0 && state.store.clock.is_some_and(|clock| clock.last < self.floor(state)) {
            actions.push(Action::LoseClock);
        }
        if state.mishaps.promotions > 0 {
            actions.push(Action::Promote);
            if state.before.is_some() {
                actions.push(Action::PromoteWithoutLastWrite);
            }
        }
        if state.now < self.scenario.horizon {
            actions.push(Action::Tick);
        }
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

fn promote(state: &mut State) {
    state.mishaps.promotions -= 1;
    state.life += 1;
    state.before = None;
    for client in state.clients.iter_mut().filter(|client| !client.crashed) {
        client.ear = match client.ear {
            Ear::Here => Ear::AtReplica,
            Ear::AtReplica => Ear::Here,
        };
    }
}

/// Whether a client with this token acts on the belief that it has the lock.
pub(crate) fn believers(state: &State) -> impl Iterator<Item = Token> + '_ {
    state
        .clients
        .iter()
        .enumerate()
        .filter_map(|(id, client)| client.believes().map(|number| Token { client: id as u8, number }))
}
