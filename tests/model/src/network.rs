//! What is under way between the clients and the store.
//!
//! A client has one connection for requests and one for messages, and each keeps its order. How long a packet takes is
//! open. Some go astray: they arrive at any time, whatever was sent later, as when a connection broke and the other end
//! still reads what it had got. Then, or if a packet is lost, the client sends its request again, so that two copies can be
//! carried out. What is older than the longest TTL is dropped: a copy that comes even later takes the lock for one
//! TTL, which nothing on the client's side can prevent.

use crate::scenario::{Task, Tick};

/// Who asks for or has the lock: a client, and the number of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub(crate) client: u8,
    pub(crate) number: u8,
}

/// One request, reply or message. A reply has the `sent` of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Packet {
    pub(crate) token: Token,
    pub(crate) sent: Tick,
    pub(crate) body: Body,
    pub(crate) astray: bool,
    /// Of a reply or message: which life of the server it is from.
    pub(crate) life: u8,
}

/// The fields are those of the scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Body {
    /// Request: acquire.lua and wait.lua, `again` if it was put before. Without a fence and for the first time, a plain command
    /// goes before, which takes the lock if it is free and does nothing if it is not.
    Acquire { task: Task, again: bool },
    /// Request: renew.lua. `more` also reserves a block of fences. `last` is the last fence that the lease came with.
    Renew { ttl: Tick, shorten: bool, more: bool, last: u8 },
    /// Request: release.lua.
    Release,
    /// Reply: the lock is the client's.
    Granted { first: u8, waiting: bool },
    /// Reply: not yet. All fences given out so far are at most `last`; 0 if it was put for the first time, and if nothing is granted
    /// yet, whoever asks: that says nothing about a hand-over by the server before, whose message may be late.
    Busy { last: u8 },
    /// Reply to `Renew`; `first` is of the new block.
    Renewed { yes: bool, first: Option<u8> },
    /// Reply to `Release`.
    Released,
    /// Message: the lock was handed over.
    HandedOver { fence: u8, waiting: bool },
    /// Message: somebody waits for the lock that this token has.
    Wanted,
}

impl Packet {
    /// Whether the store is to carry it out.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self.body, Body::Acquire { .. } | Body::Renew { .. } | Body::Release)
    }

    /// Whether it came by publish and not as a reply.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.body, Body::HandedOver { .. } | Body::Wanted)
    }

    /// The packets of a lane arrive in order, but for those that are astray.
    fn lane(&self) -> (bool, u8, bool, bool) {
        (!self.astray, self.token.client, self.is_request(), self.is_message())
    }
}

/// All packets that are under way, lane by lane. The order of those that are astray says nothing: they are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Network(pub(crate) Vec<Packet>);

impl Network {
    pub(crate) fn send(&mut self, packet: Packet) {
        let end = self.0.partition_point(|other| other.lane() <= packet.lane());
        // "Wanted" twice in a row says no more than once.
        let says_the_same = |other: &Packet| (other.token, other.body) == (packet.token, Body::Wanted);
        if packet.body != Body::Wanted || !self.0[..end].last().is_some_and(says_the_same) {
            self.0.insert(end, packet);
        }
    }

    pub(crate) fn take(&mut self, packet: Packet) {
        if let Some(place) = self.0.iter().position(|other| *other == packet) {
            self.0.remove(place);
        }
    }

    /// A client hears nothing more of the servers before that life.
    pub(crate) fn leave_former(&mut self, client: u8, life: u8) {
        self.0.retain(|packet| packet.token.client != client || !packet.is_message() || packet.life >= life);
    }

    /// Lets the first of a lane go astray.
    pub(crate) fn divert(&mut self, packet: Packet) {
        self.take(packet);
        let packet = Packet { astray: true, ..packet };
        let place = self.0.partition_point(|other| other.astray && *other < packet);
        self.0.insert(place, packet);
    }

    /// What can arrive next: whatever is astray, and the first packet of each lane.
    pub(crate) fn next(&self) -> impl Iterator<Item = Packet> + '_ {
        let is_first = |place: usize| place == 0 || self.0[place - 1].lane() != self.0[place].lane();
        (0..self.0.len()).filter(move |place| self.0[*place].astray || is_first(*place)).map(|place| self.0[place])
    }

    /// Whether a client has a request or a reply on its way in order for which `which` is true: then it goes on waiting.
    pub(crate) fn expects(&self, client: u8, which: impl Fn(&Packet) -> bool) -> bool {
        let mut of_client = self.0.iter().filter(|packet| packet.token.client == client && !packet.astray);
        of_client.any(|packet| !packet.is_message() && which(packet))
    }
}
