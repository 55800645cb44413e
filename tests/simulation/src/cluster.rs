//! A cluster: which master has which slots, and what each of them knows of that.
//!
//! What a master refuses is what `getNodeByQuery` of Redis 7 refuses. A key goes over in one piece, as `MIGRATE` moves it. Masters that
//! have no part in a move hear of it late.

use std::{cell::RefCell, ops::Range, rc::Rc};

use crate::{about::keys_of, plan::Time, redis::Reply, server::Servers, weakness::Weakness};

/// How many slots there are.
const SLOTS: usize = 16_384;

/// Which master has which slots.
#[derive(Debug)]
pub(crate) struct Slots {
    masters: usize,
    pub(crate) owners: Vec<usize>,
    /// Who had them before the last move, and until when masters that had no part in it believe that.
    before: Vec<usize>,
    last: Move,
    stale: Time,
    /// What is moved key by key now.
    pub(crate) under_way: Option<Move>,
    epoch: u64,
    /// Whether the request that is carried out came right behind an `ASKING`.
    pub(crate) is_asking: bool,
    weakness: Option<Weakness>,
}

/// Slots that move from one master to another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Move {
    pub(crate) slots: Range<usize>,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// The slots of a master.
#[derive(Debug)]
pub(crate) struct Part {
    slots: Rc<RefCell<Slots>>,
    node: usize,
}

impl Part {
    /// Whether a script may touch that key, which is there or not.
    pub(crate) fn has(&self, key: &[u8], is_there: bool) -> bool {
        self.slots.borrow().refusal(self.node, &[(key, is_there)], Time::MAX).is_none()
    }
}

impl Slots {
    fn new(masters: usize, weakness: Option<Weakness>) -> Self {
        let owners = (0..SLOTS).map(|slot| slot * masters / SLOTS).collect::<Vec<_>>();
        let (before, last) = (owners.clone(), Move::default());
        Self { masters, owners, before, last, stale: 0, under_way: None, epoch: 1, is_asking: false, weakness }
    }

    /// Whether a master has not heard of the last move.
    fn is_late(&self, node: usize, now: Time) -> bool {
        now < self.stale && node != self.last.from && node != self.last.to
    }

    /// Who has which slot, as a master sees it.
    fn seen_by(&self, node: usize, now: Time) -> &[usize] {
        if self.is_late(node, now) { &self.before } else { &self.owners }
    }

    /// Why a master does not take a request about these keys, each of which is there or not.
    fn refusal(&self, node: usize, keys: &[(&[u8], bool)], now: Time) -> Option<String> {
        let slot = slot(keys.first()?.0);
        if keys.iter().any(|(key, _)| self::slot(key) != slot) {
            return Some("CROSSSLOT Keys in request don't hash to the same slot".to_owned());
        }
        let missing = keys.iter().filter(|(_, is_there)| !is_there).count();
        let try_again = || Some("TRYAGAIN Multiple keys request during rehashing of slot".to_owned());
        match self.under_way.as_ref().filter(|under_way| under_way.slots.contains(&slot)) {
            Some(Move { from, to, .. }) if node == *from => match missing {
                _ if missing == 0 || self.weakness == Some(Weakness::MissingKeysServed) => None,
                _ if missing < keys.len() => try_again(),
                _ => Some(format!("ASK {slot} {}", address(*to))),
            },
            Some(Move { to, .. }) if node == *to && self.is_asking => {
                if missing > 0 && keys.len() > 1 {
                    try_again()
                } else {
                    None
                }
            }
            _ if self.owners[slot] == node => None,
            _ if self.before[slot] == node && self.weakness == Some(Weakness::FormerOwnerServes) => None,
            _ => Some(format!("MOVED {slot} {}", address(self.seen_by(node, now)[slot]))),
        }
    }

    /// The replies to `CLUSTER SLOTS` and `CLUSTER INFO`.
    fn describe(&self, node: usize, what: &[u8], now: Time) -> Reply {
        if what == b"INFO" {
            let epoch = self.epoch - u64::from(self.is_late(node, now));
            return Reply::Text(format!("cluster_state:ok\r\ncluster_current_epoch:{epoch}\r\n").into_bytes());
        }
        let (mut first, mut ranges) = (0, Vec::new());
        for same in self.seen_by(node, now).chunk_by(|one, other| one == other) {
            let number = |number: usize| Reply::Int(number as i64);
            let master = vec![Reply::Text(host(same[0]).into_bytes()), Reply::Int(PORT), Reply::Text("id".into())];
            ranges.push(Reply::List(vec![number(first), number(first + same.len() - 1), Reply::List(master)]));
            first += same.len();
        }
        Reply::List(ranges)
    }

    /// The slots pass from one master to another. Others hear of that at `stale`.
    pub(crate) fn pass(&mut self, moved: Move, stale: Time) {
        self.before.clone_from(&self.owners);
        let passed = self.owners[moved.slots.clone()].iter_mut().filter(|owner| **owner == moved.from);
        passed.for_each(|owner| *owner = moved.to);
        (self.last, self.stale, self.epoch) = (moved, stale, self.epoch + 1);
    }

    /// Slots around that one which may move together.
    pub(crate) fn around(&self, slot: usize, [below, above]: [u64; 2]) -> Range<usize> {
        let from = self.owners[slot];
        let is_wide = self.owners.iter().filter(|owner| **owner == from).count() as u64 > 2 * (below + above + 1);
        let [below, above] = if is_wide { [below, above].map(|more| more as usize) } else { [0, 0] };
        let low = (slot.saturating_sub(below)..slot).rev().take_while(|slot| self.owners[*slot] == from).last();
        let high = (slot..SLOTS.min(slot + above + 1)).take_while(|slot| self.owners[*slot] == from).last();
        low.unwrap_or(slot)..high.unwrap_or(slot) + 1
    }
}

impl Servers {
    /// The servers form a cluster, of which the first are the masters.
    pub(crate) fn form_cluster(&mut self, masters: usize, weakness: Option<Weakness>) {
        let slots = Rc::new(RefCell::new(Slots::new(masters, weakness)));
        for node in 0..self.nodes.len() {
            self.store(node, |store| store.part = Some(Rc::new(Part { slots: Rc::clone(&slots), node })));
        }
        self.slots = Some(slots);
    }

    /// Whether it is a master.
    pub(crate) fn is_master(&self, node: usize) -> bool {
        if self.slots.is_some() { !self.store(node, |store| store.is_replica) } else { node == self.master }
    }

    /// The master, or those of a cluster.
    pub(crate) fn masters(&self) -> Vec<usize> {
        (0..self.first_sentinel()).filter(|node| self.is_master(*node)).collect()
    }

    /// A server and those that copy it, or that it copies.
    pub(crate) fn shard(&self, node: usize) -> Vec<usize> {
        let masters = self.slots.as_ref().map_or(1, |slots| slots.borrow().masters);
        (0..self.first_sentinel()).filter(|other| other % masters == node % masters).collect()
    }

    /// The servers that copy it.
    pub(crate) fn replicas(&self, node: usize) -> Vec<usize> {
        let mut shard = if self.is_master(node) { self.shard(node) } else { Vec::new() };
        shard.retain(|other| *other != node);
        shard
    }

    /// A replica has taken the place of its master.
    pub(crate) fn takes_slots(&mut self, from: usize, to: usize, stale: Time) {
        if let Some(slots) = &self.slots {
            slots.borrow_mut().pass(Move { slots: 0..SLOTS, from, to }, stale);
        }
    }

    /// The server that has a key; while its slot is on its way, the one that has it already, or has it yet.
    pub(crate) fn home(&self, key: &[u8]) -> usize {
        let Some(slots) = &self.slots else { return self.master };
        let (slots, slot) = (slots.borrow(), slot(key));
        match slots.under_way.as_ref().filter(|under_way| under_way.slots.contains(&slot)) {
            Some(under_way) if self.store(under_way.to, |store| store.has(key)) => under_way.to,
            _ => slots.owners[slot],
        }
    }

    /// Why a server does not take a request.
    pub(crate) fn refusal(&self, node: usize, words: &[Vec<u8>], now: Time) -> Option<Reply> {
        let slots = self.slots.as_ref()?;
        let is_channel = matches!(&*words[0], b"SPUBLISH" | b"SSUBSCRIBE");
        let keys = match &*words[0] {
            b"EVAL" | b"EVALSHA" => &words[3..3 + keys_of(words)?],
            b"DEL" => &words[1..],
            b"GET" | b"SET" | b"DELIFEQ" | b"HSET" | b"ZCOUNT" | b"SPUBLISH" | b"SSUBSCRIBE" => &words[1..2],
            _ => return None,
        };
        let is_there = |key: &[u8]| is_channel || self.store(node, |store| store.has(key));
        let keys = keys.iter().map(|key| (&**key, is_there(key))).collect::<Vec<_>>();
        slots.borrow().refusal(node, &keys, now).map(Reply::Error)
    }

    /// The request that comes next came right behind an `ASKING`, or not.
    pub(crate) fn is_asked(&self, is_asking: bool) {
        self.slots.iter().for_each(|slots| slots.borrow_mut().is_asking = is_asking);
    }

    /// The reply to `CLUSTER`.
    pub(crate) fn describe_cluster(&self, node: usize, what: &[u8], now: Time) -> Reply {
        let none = || Reply::Error("ERR This instance has cluster support disabled".to_owned());
        self.slots.as_ref().map_or_else(none, |slots| slots.borrow().describe(node, what, now))
    }

    /// Whether a process is told of its requests, wherever their locks are.
    pub(crate) fn hears(&self, identity: &str) -> bool {
        let channel = format!("dlock:{identity}");
        if self.slots.is_none() {
            return !self.listeners(self.master, channel.as_bytes()).is_empty();
        }
        let tagged = channel + "{";
        let hears = |channel: &[u8], ids: &[usize]| channel.starts_with(tagged.as_bytes()) && !ids.is_empty();
        self.masters()
            .into_iter()
            .all(|node| self.nodes[node].listeners.iter().any(|(channel, ids)| hears(channel, ids)))
    }
}

const PORT: i64 = 6379;

fn host(node: usize) -> String {
    format!("server{node}")
}

fn address(node: usize) -> String {
    format!("{}:{PORT}", host(node))
}

/// Where the runtimes of a cluster look for it first.
pub(crate) fn seeds(masters: usize) -> Vec<String> {
    (0..masters.min(2)).map(|node| format!("redis://user:secret@{}", address(node))).collect()
}

/// The slot of a key: CRC-16/XMODEM of its hash tag, if it has one.
pub(crate) fn slot(key: &[u8]) -> usize {
    let first = |bytes: &[u8], wanted: u8| bytes.iter().position(|byte| *byte == wanted);
    let tag = first(key, b'{').and_then(|open| {
        let rest = &key[open + 1..];
        first(rest, b'}').map(|end| &rest[..end])
    });
    let bytes = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = bytes.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    usize::from(crc) % SLOTS
}
