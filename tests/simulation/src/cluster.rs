//! A cluster: which master has which slots, and what each of them knows of that.
//!
//! What a master refuses is what `getNodeByQuery` of Redis 7 refuses. A key goes over in one piece, as `MIGRATE` moves it. Masters that
//! have no part in a move hear of it late.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    about::keys_of,
    plan::{SECOND, Time},
    redis::{Reply, id},
    server::Servers,
    weakness::Weakness,
};

/// For how long a process may hear nothing of a slot.
const UNAWARE: Time = 10 * SECOND;

/// How many slots there are.
pub(crate) const SLOTS: usize = 16_384;

/// Which master has which slots.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) owners: Vec<usize>,
    /// From when on a lock in each may be granted, where it came from a server that was closed.
    opens: Vec<Time>,
    /// When each left a server, which had it before.
    left: BTreeMap<(usize, usize), Time>,
    /// Who had them before the last move, and until when masters that had no part in it believe that.
    before: Vec<usize>,
    last: Move,
    stale: Time,
    /// What is moved key by key now.
    pub(crate) under_way: Option<Move>,
    /// The configuration epoch of each server, and the newest that those know of who believe `before`.
    epochs: Vec<u64>,
    known: u64,
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

impl Slots {
    pub(crate) fn new(masters: usize, servers: usize, weakness: Option<Weakness>) -> Self {
        let owners = (0..SLOTS).map(|slot| slot * masters / SLOTS).collect::<Vec<_>>();
        let (before, last) = (owners.clone(), Move::default());
        let (opens, left) = (vec![0; SLOTS], BTreeMap::new());
        let mut epochs = (1..=masters as u64).collect::<Vec<_>>();
        epochs.resize(servers, 0);
        let (stale, known, under_way, is_asking) = (0, 0, None, false);
        Self { owners, opens, left, before, last, stale, under_way, epochs, known, is_asking, weakness }
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
    pub(crate) fn refusal(&self, node: usize, keys: &[(&[u8], bool)], now: Time) -> Option<String> {
        let slot = slot(keys.first()?.0);
        if keys.iter().any(|(key, _)| self::slot(key) != slot) {
            return Some("CROSSSLOT Keys in request don't hash to the same slot".to_owned());
        }
        let missing = keys.iter().filter(|(_, is_there)| !is_there).count();
        let try_again = || Some("TRYAGAIN Multiple keys request during rehashing of slot".to_owned());
        match self.under_way.as_ref().filter(|under_way| under_way.slots.contains(&slot)) {
            Some(Move { from, .. }) if node == *from && self.weakness == Some(Weakness::MissingKeysServed) => None,
            Some(Move { from, .. }) if node == *from && missing == 0 => None,
            Some(Move { from, .. }) if node == *from && missing < keys.len() => try_again(),
            Some(Move { from, to, .. }) if node == *from => Some(format!("ASK {slot} {}", address(*to))),
            Some(Move { to, .. }) if node == *to && self.is_asking && missing > 0 && keys.len() > 1 => try_again(),
            Some(Move { to, .. }) if node == *to && self.is_asking => None,
            _ if self.owners[slot] == node => None,
            _ if self.before[slot] == node && self.weakness == Some(Weakness::FormerOwnerServes) => None,
            _ => Some(format!("MOVED {slot} {}", address(self.seen_by(node, now)[slot]))),
        }
    }

    /// The replies to `CLUSTER SLOTS` and `CLUSTER INFO`.
    pub(crate) fn describe(&self, node: usize, what: &[u8], now: Time) -> Reply {
        if what == b"INFO" {
            let newest = if self.is_late(node, now) { self.known } else { self.newest() };
            return Reply::text(format!("cluster_state:ok\r\ncluster_current_epoch:{newest}\r\n"));
        }
        let mut first = 0;
        let ranges = self.seen_by(node, now).chunk_by(|one, other| one == other).map(|same| {
            let master = [Reply::text(format!("server{}", same[0])), Reply::Int(PORT), Reply::text("id")];
            first += same.len();
            Reply::List(vec![Reply::count(first - same.len()), Reply::count(first - 1), Reply::List(master.into())])
        });
        Reply::List(ranges.collect())
    }

    /// The slots pass from one master to another. Others hear of that at `stale`.
    pub(crate) fn pass(&mut self, moved: Move, stale: Time) {
        self.before.clone_from(&self.owners);
        let passed = self.owners[moved.slots.clone()].iter_mut().filter(|owner| **owner == moved.from);
        passed.for_each(|owner| *owner = moved.to);
        self.known = self.newest();
        // Who takes over slots, or a place, has the newest epoch from then on: `clusterBumpConfigEpochWithoutConsensus`.
        if self.epochs[moved.to] != self.known {
            self.epochs[moved.to] = self.known + 1;
        }
        (self.last, self.stale) = (moved, stale);
    }

    fn newest(&self) -> u64 {
        self.epochs.iter().copied().max().unwrap_or(0)
    }

    /// The slots leave a server that is closed until `opens`.
    pub(crate) fn leave(&mut self, Move { slots, from, to }: Move, opens: Time, now: Time) {
        for slot in slots {
            self.left.insert((from, slot), now);
            // Who was stopped meanwhile does not know that a slot was away which comes back: SAFETY.md says so.
            let is_back = self.left.get(&(to, slot)).is_some_and(|left| now < left + UNAWARE);
            self.opens[slot] = if is_back { 0 } else { opens.max(self.opens[slot]) };
        }
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
    /// Whether it is a master.
    pub(crate) fn is_master(&self, node: usize) -> bool {
        if self.slots.is_some() { !self.nodes[node].is_replica } else { node == self.master }
    }

    /// The master, or those of a cluster.
    pub(crate) fn masters(&self) -> Vec<usize> {
        (0..self.first_sentinel()).filter(|node| self.is_master(*node)).collect()
    }

    /// A server and those that copy it, or that it copies.
    pub(crate) fn shard(&self, node: usize) -> Vec<usize> {
        (0..self.first_sentinel()).filter(|other| other % self.shards == node % self.shards).collect()
    }

    /// The servers that copy it.
    pub(crate) fn replicas(&self, node: usize) -> Vec<usize> {
        let is_master = self.is_master(node);
        self.shard(node).into_iter().filter(|other| is_master && *other != node).collect()
    }

    /// The server that has a key; while its slot is on its way, the one that has it already, or has it yet.
    pub(crate) fn home(&self, key: &[u8]) -> usize {
        let Some(slots) = &self.slots else { return self.master };
        let (slots, slot) = (slots.borrow(), slot(key));
        match slots.under_way.as_ref().filter(|under_way| under_way.slots.contains(&slot)) {
            Some(under_way) if self.nodes[under_way.to].has(key) => under_way.to,
            _ => slots.owners[slot],
        }
    }

    /// From when on a server may grant a lock.
    pub(crate) fn opens(&self, node: usize, lock: &str) -> Time {
        let of_slot = self.slots.as_ref().map_or(0, |slots| slots.borrow().opens[slot(lock.as_bytes())]);
        self.nodes[node].opens.max(of_slot)
    }

    /// The fence clocks at a server, and of which life each is.
    fn clocks(&mut self, node: usize) -> BTreeMap<Vec<u8>, Reply> {
        let server = &mut self.nodes[node];
        let clocks = server.all().into_iter().filter(|key| key.starts_with(b"dlock:fence-clock"));
        // A replica has them as well.
        let lives = clocks.map(|key| (key.clone(), server.answer(&[b"HGET", &key, b"life"]).unwrap_or(Reply::Nil)));
        lives.collect()
    }

    /// Notes which fence clocks of a cluster lose their first writes in a life, as the next master has them as they were before. Returns
    /// whether it lacks one, that of a slot which came just before.
    pub(crate) fn lose_clocks(&mut self, old: usize, new: usize) -> bool {
        if self.slots.is_none() {
            return false;
        }
        let (had, has) = (self.clocks(old), self.clocks(new));
        let lacks_one = had.keys().any(|clock| !has.contains_key(clock));
        self.behind.extend(has.into_iter().filter(|(clock, life)| had.get(clock).is_some_and(|later| later != life)));
        lacks_one
    }

    /// Whether a fence clock has come back to a server as it left, and what was minted meanwhile is lost. Nobody sees that: SAFETY.md
    /// says so.
    pub(crate) fn come_back_behind(&mut self, node: usize) -> bool {
        let (clocks, home) = (self.clocks(node), Reply::text(id(self.nodes[node].life)));
        // One that was minted at since is of another life.
        self.behind.retain(|clock, life| clocks.get(clock).is_none_or(|says| says == life));
        let rest = self.behind.len();
        self.behind.retain(|clock, life| *life != home || !clocks.contains_key(clock));
        self.behind.len() < rest
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
        let keys = keys.iter().map(|key| (&**key, is_channel || self.nodes[node].has(key))).collect::<Vec<_>>();
        slots.borrow().refusal(node, &keys, now).map(Reply::Error)
    }

    /// Whether a process is told of its requests, wherever their locks are.
    pub(crate) fn hears(&self, identity: &str) -> bool {
        let channel = format!("dlock:{identity}");
        if self.slots.is_none() {
            return self.nodes[self.master].hearers(channel.as_bytes()) > 0;
        }
        let tagged = channel + "{";
        let mut masters = self.masters().into_iter().map(|node| &self.nodes[node].listeners);
        masters
            .all(|known| known.iter().any(|(channel, ids)| channel.starts_with(tagged.as_bytes()) && !ids.is_empty()))
    }
}

const PORT: i64 = 6379;

fn address(node: usize) -> String {
    format!("server{node}:{PORT}")
}

/// Where the runtimes of a cluster look for it first.
pub(crate) fn seeds(masters: usize) -> Vec<String> {
    (0..masters.min(2)).map(|node| format!("redis://user:secret@{}", address(node))).collect()
}

/// The slot of a key: CRC-16/XMODEM of its hash tag, if it has one.
pub(crate) fn slot(key: &[u8]) -> usize {
    let text = String::from_utf8_lossy(key);
    let tag = text.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(tag, _)| tag);
    let bytes = if tag.is_empty() { key } else { tag.as_bytes() };
    let crc = bytes.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    });
    usize::from(crc) % SLOTS
}
