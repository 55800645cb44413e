//! What is under way between the clients and the store.
//!
//! A client has one connection for requests and one for messages, and each keeps its order. How long a packet takes is
//! open. Some go astray: they arrive at any time, whatever was sent later, as when a connection broke and the other end
//! still reads what it had got. Then, or if a packet is lost, the client sends its request again, so that two copies can be
//! carried out. What is older than the longest TTL is dropped: a copy that comes even later takes the lock for one
//! TTL, which nothing on the client's side can prevent.

use crate::scenario::Tick;

/// Who asks for or has the lock: a client, and the number of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub(crate) client: u8,
    pub(crate) number: u8,
}

/// The client of another kind: it takes the key if it is free, and knows nothing of queue and fences.
pub(crate) const FOREIGN: Token = Token { client: u8::MAX, number: 0 };

/// One request, reply or message. A reply has the `sent` of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Packet {
    pub(crate) token: Token,
    pub(crate) sent: Tick,
    pub(crate) body: Body,
}

/// The fields are those of the scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Body {
    /// Request: acquire.lua and wait.lua, `again` if it was put before. Without a fence and for the first time, a plain command
    /// goes before, which takes the lock if it is free and does nothing if it is not.
    Acquire { ttl: Tick, again: bool, fenced: bool },
    /// Request: renew.lua. `more` also reserves a block of fences. `last` is the last fence of the block that the lease has; 0
    /// without a guard.
    Renew { renewal: Renewal, more: bool, last: u8 },
    /// Request: release.lua.
    Release,
    /// Reply: the lock is the client's.
    Granted { first: u8, waiting: bool },
    /// Reply: not yet. All fences given out so far are at most `last`; 0 if it was put for the first time.
    Busy { last: u8 },
    /// Reply: nothing is granted yet, whoever asks.
    Closed,
    /// Reply to `Renew`; `first` is of the new block.
    Renewed { renewal: Renewal, yes: bool, first: Option<u8> },
    /// Reply to `Release`.
    Released,
    /// Message: the lock was handed over.
    HandedOver { fence: u8, waiting: bool },
    /// Message: somebody waits for the lock that this token has.
    Wanted,
    /// Message: the lock went free, and this token is first in the queue.
    Free,
}

/// What a renewal asks for, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Renewal {
    pub(crate) sent: Tick,
    pub(crate) ttl: Tick,
    pub(crate) shorten: bool,
}

impl Packet {
    /// Whether the store is to carry it out.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self.body, Body::Acquire { .. } | Body::Renew { .. } | Body::Release)
    }

    /// Whether it came by publish and not as a reply.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.body, Body::HandedOver { .. } | Body::Wanted | Body::Free)
    }

    fn lane(&self) -> usize {
        if self.is_request() { 0 } else { 1 + usize::from(self.is_message()) }
    }
}

/// All packets that are under way. Those of a lane stay in order; `strays` don't.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    /// Requests, replies and messages of each client.
    lanes: Vec<[Vec<Packet>; 3]>,
    strays: Vec<Packet>,
}

impl Network {
    pub(crate) fn new(clients: usize) -> Self {
        Self { lanes: vec![Default::default(); clients], strays: Vec::new() }
    }

    pub(crate) fn send(&mut self, packet: Packet) {
        let lane = &mut self.lanes[usize::from(packet.token.client)][packet.lane()];
        // "Wanted" twice in a row says no more than once.
        let says = |packet: &Packet| (packet.token, packet.body);
        if packet.body != Body::Wanted || lane.last().map(says) != Some(says(&packet)) {
            lane.push(packet);
        }
    }

    /// Takes a packet out that is first in its lane, or astray.
    pub(crate) fn take(&mut self, packet: Packet) {
        let lane = &mut self.lanes[usize::from(packet.token.client)][packet.lane()];
        if lane.first() == Some(&packet) {
            lane.remove(0);
        } else if let Ok(place) = self.strays.binary_search(&packet) {
            self.strays.remove(place);
        }
    }

    /// Lets the first of a lane go astray.
    pub(crate) fn divert(&mut self, packet: Packet) {
        self.take(packet);
        self.strays.push(packet);
        self.strays.sort();
    }

    /// The first packet of each lane.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Packet> + '_ {
        self.lanes.iter().flatten().filter_map(|lane| lane.first().copied())
    }

    pub(crate) fn astray(&self) -> impl Iterator<Item = Packet> + '_ {
        self.strays.iter().copied()
    }

    /// Whether a client has a request or a reply in its lanes for which `which` is true: then it goes on waiting.
    pub(crate) fn expects(&self, client: u8, which: impl Fn(&Packet) -> bool) -> bool {
        self.lanes[usize::from(client)][..2].iter().flatten().any(which)
    }

    /// Forgets packets for which `keep` is false: who gets them does nothing, or they are too old.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Packet) -> bool) {
        self.lanes.iter_mut().flatten().chain([&mut self.strays]).for_each(|packets| packets.retain(&keep));
    }
}
