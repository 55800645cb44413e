//! What is under way between the clients and the store.
//!
//! A client has one connection for requests and one for messages, and each keeps its order. How long a packet takes is
//! open. Some go astray: they arrive at any time, whatever was sent later, as when a connection broke and the other end
//! still reads what it had got. Then, or if a packet is lost, the client sends its question again, so that two copies can be
//! carried out. What is older than the longest TTL is dropped: a copy that comes even later takes the lock for one
//! TTL, which nothing on the client's side can prevent.

use crate::clock::Tick;

/// Who asks for or has the lock: a client, and the number of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub(crate) client: u8,
    pub(crate) number: u8,
}

/// The client of another kind: it takes the key if it is free, and knows nothing of queue and fences.
pub(crate) const FOREIGN: Token = Token { client: u8::MAX, number: 0 };

/// One request, reply or message. `sent` is when the question was sent that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The fields are those of the scripts.
pub enum Packet {
    /// To the store: acquire.lua.
    Acquire { token: Token, ttl: Tick, again: bool, sent: Tick },
    /// To the store: renew.lua. `more` also reserves a block of fences.
    Renew { token: Token, ttl: Tick, shorten: bool, more: bool, sent: Tick },
    /// To the store: release.lua.
    Release { token: Token, sent: Tick },
    /// The lock is the client's.
    Granted { token: Token, first: u8, waiting: bool, sent: Tick },
    /// Not yet. All fences given out so far are at most `last`.
    Busy { token: Token, last: u8, sent: Tick },
    /// The answer to `Renew`; `first` is of the new block.
    Renewed { token: Token, ttl: Tick, shorten: bool, yes: bool, first: Option<u8>, sent: Tick },
    /// The answer to `Release`.
    Released { token: Token, sent: Tick },
    /// Message: the lock was handed over.
    HandedOver { token: Token, fence: u8, waiting: bool, sent: Tick },
    /// Message: somebody waits for the lock that this token has.
    Wanted { token: Token, sent: Tick },
    /// Message: the lock went free, and this token is first in the queue.
    Free { token: Token, sent: Tick },
}

impl Packet {
    pub(crate) fn token(&self) -> Token {
        match *self {
            Self::Acquire { token, .. }
            | Self::Renew { token, .. }
            | Self::Release { token, .. }
            | Self::Granted { token, .. }
            | Self::Busy { token, .. }
            | Self::Renewed { token, .. }
            | Self::Released { token, .. }
            | Self::HandedOver { token, .. }
            | Self::Wanted { token, .. }
            | Self::Free { token, .. } => token,
        }
    }

    fn sent(&self) -> Tick {
        match *self {
            Self::Acquire { sent, .. }
            | Self::Renew { sent, .. }
            | Self::Release { sent, .. }
            | Self::Granted { sent, .. }
            | Self::Busy { sent, .. }
            | Self::Renewed { sent, .. }
            | Self::Released { sent, .. }
            | Self::HandedOver { sent, .. }
            | Self::Wanted { sent, .. }
            | Self::Free { sent, .. } => sent,
        }
    }

    /// Whether the store is to carry it out.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self, Self::Acquire { .. } | Self::Renew { .. } | Self::Release { .. })
    }

    /// Whether it came by publish and not as an answer.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Self::HandedOver { .. } | Self::Wanted { .. } | Self::Free { .. })
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
        let lane = &mut self.lanes[usize::from(packet.token().client)][packet.lane()];
        // "Wanted" twice in a row says no more than once.
        let repeated =
            matches!(packet, Packet::Wanted { .. }) && lane.last().map(Packet::token) == Some(packet.token());
        if !(repeated && matches!(lane.last(), Some(Packet::Wanted { .. }))) {
            lane.push(packet);
        }
    }

    /// Takes a packet out that is first in its lane, or astray.
    pub(crate) fn take(&mut self, packet: Packet) {
        let lane = &mut self.lanes[usize::from(packet.token().client)][packet.lane()];
        if lane.first() == Some(&packet) {
            lane.remove(0);
        } else if let Ok(place) = self.strays.binary_search(&packet) {
            self.strays.remove(place);
        }
    }

    /// Lets the first of a lane go astray.
    pub(crate) fn divert(&mut self, packet: Packet) {
        self.take(packet);
        let place = self.strays.partition_point(|other| *other <= packet);
        self.strays.insert(place, packet);
    }

    /// The first packet of each lane.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Packet> + '_ {
        self.lanes.iter().flatten().filter_map(|lane| lane.first().copied())
    }

    pub(crate) fn astray(&self) -> impl Iterator<Item = Packet> + '_ {
        self.strays.iter().copied()
    }

    /// Whether a client has a question or an answer in its lanes for which `which` is true: then it goes on waiting.
    pub(crate) fn expects(&self, client: u8, which: impl Fn(&Packet) -> bool) -> bool {
        self.lanes[usize::from(client)][..2].iter().flatten().any(which)
    }

    /// Forgets packets for which `keep` is false: who gets them does nothing.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Packet) -> bool) {
        self.lanes.iter_mut().flatten().for_each(|lane| lane.retain(&keep));
        self.strays.retain(&keep);
    }

    /// Forgets what is too old.
    pub(crate) fn age(&mut self, now: Tick, oldest: Tick) {
        self.retain(|packet| packet.sent() + oldest >= now);
    }
}
