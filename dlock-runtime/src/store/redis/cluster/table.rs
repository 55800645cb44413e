//! The masters of a cluster as this process knows them, and which of them has which slots. It is a hint: a wrong one costs a hop.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use redis::ConnectionAddr;

use super::{
    super::{Redis, connections::Connections, route::Place, slots},
    map,
    moves::Moves,
};
use crate::{
    protocol::token::{LockId, Tag},
    system::lock,
    types::boot_time::BootTime,
};

/// Marks a slot that no known master has.
const NOBODY: u16 = u16::MAX;

/// A master, or a server that is asked for the masters.
pub(super) struct Node {
    pub(super) place: Arc<Place>,
    pub(super) redis: Redis,
    ear: Mutex<Ear>,
    /// Whether somebody tried to listen to it.
    pub(super) is_tried: AtomicBool,
}

/// Where this process listens at a master.
#[derive(Default)]
struct Ear {
    /// The tag of its shard.
    shard: Tag,
    /// The one that is listened to now, which may be older.
    heard: Option<Tag>,
}

impl Node {
    pub(super) fn new(connections: &Connections, place: Place) -> Arc<Self> {
        let place = Arc::new(place);
        let redis = Redis::to(connections.beside(Arc::clone(&place)));
        Arc::new(Self { place, redis, ear: Mutex::default(), is_tried: AtomicBool::new(false) })
    }

    /// Where requests for its locks are told what happens to them.
    pub(super) fn tag(&self) -> Tag {
        let ear = self.ear();
        ear.heard.unwrap_or(ear.shard)
    }

    /// The tag of its shard, which all processes choose alike.
    pub(super) fn shard(&self) -> Tag {
        self.ear().shard
    }

    fn set_shard(&self, tag: Tag) {
        self.ear().shard = tag;
        self.redis.connections.epoch_key.set_tag(tag);
    }

    pub(super) fn hears(&self, tag: Tag) -> bool {
        self.ear().heard == Some(tag)
    }

    /// Whether it is listened to.
    pub(super) fn is_heard(&self) -> bool {
        self.ear().heard.is_some()
    }

    /// It is listened to there from now on; nowhere, if there is none.
    pub(super) fn set_heard(&self, tag: Option<Tag>) {
        self.ear().heard = tag;
        self.is_tried.store(true, Ordering::Relaxed);
    }

    fn ear(&self) -> MutexGuard<'_, Ear> {
        lock(&self.ear)
    }
}

/// Which master has which slot.
pub(super) struct Table {
    /// The place in `masters` of who has the slot.
    owners: Box<[u16]>,
    masters: Vec<Arc<Node>>,
    pub(super) moves: Moves,
}

impl Default for Table {
    fn default() -> Self {
        Self { owners: vec![NOBODY; slots::SLOTS].into(), masters: Vec::new(), moves: Moves::default() }
    }
}

impl Table {
    /// Who has a lock, as far as is known.
    pub(super) fn owner(&self, name: &str) -> Option<&Arc<Node>> {
        self.masters.get(usize::from(self.owners[usize::from(slots::slot(name))]))
    }

    pub(super) fn masters(&self) -> &[Arc<Node>] {
        &self.masters
    }

    pub(super) fn at(&self, address: &ConnectionAddr) -> Option<&Arc<Node>> {
        self.masters.iter().find(|node| node.place.at == *address)
    }

    /// A server says that `node` has the slot of `name`. True if that is a master that was not known.
    pub(super) fn correct(&mut self, name: &str, node: &Arc<Node>, now: BootTime) -> bool {
        let known = self.masters.iter().position(|master| Arc::ptr_eq(master, node));
        let at = known.unwrap_or(self.masters.len());
        let slot = usize::from(slots::slot(name));
        if std::mem::replace(&mut self.owners[slot], at as u16) != at as u16 {
            self.moves.learn(slot, now);
        }
        if known.is_none() {
            self.masters.push(Arc::clone(node));
            node.set_shard(map::tag(std::iter::once(slots::slot(name))));
        }
        known.is_none()
    }

    /// Takes up what a server said of all slots. Returns the masters that are none any more, and whether there is a new one.
    pub(super) fn replace(&mut self, ranges: Vec<(u16, u16, Arc<Node>)>, now: BootTime) -> (Vec<Arc<Node>>, bool) {
        let mut before = std::mem::take(self);
        self.moves = std::mem::take(&mut before.moves);
        for (first, last, node) in ranges {
            let known = self.masters.iter().position(|master| Arc::ptr_eq(master, &node));
            let at = known.unwrap_or(self.masters.len());
            if known.is_none() {
                self.masters.push(node);
            }
            self.owners[usize::from(first)..=usize::from(last)].fill(at as u16);
        }
        let mut slots = vec![Vec::new(); self.masters.len()];
        for (slot, (owner, earlier)) in (0..).zip(self.owners.iter().zip(&before.owners)) {
            let [Some(node), earlier] =
                [(&self.masters, owner), (&before.masters, earlier)].map(|(masters, at)| masters.get(usize::from(*at)))
            else {
                continue;
            };
            slots[usize::from(*owner)].push(slot);
            if !earlier.is_some_and(|earlier| Arc::ptr_eq(earlier, node)) {
                self.moves.learn(usize::from(slot), now);
            }
        }
        for (node, slots) in self.masters.iter().zip(slots) {
            node.set_shard(map::tag(slots.into_iter()));
        }
        fn has(nodes: &[Arc<Node>], node: &Arc<Node>) -> bool {
            nodes.iter().any(|other| Arc::ptr_eq(other, node))
        }
        let is_new = self.masters.iter().any(|node| !has(&before.masters, node));
        let gone = before.masters.into_iter().filter(|node| !has(&self.masters, node)).collect();
        (gone, is_new)
    }

    /// Whether messages for that request arrive.
    pub(super) fn hears(&self, LockId { name, token }: &LockId) -> bool {
        self.owner(name).is_some_and(|node| node.hears(token.tag))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use redis::ConnectionAddr;

    use super::{
        super::super::{options::RedisOptions, route::Route},
        *,
    };

    pub(in super::super) fn node(port: u16) -> Arc<Node> {
        let options = RedisOptions { url: Some("redis://seed".to_owned()), ..RedisOptions::default() };
        let connections = Connections::new(Route::new(options).expect("a URL"), None);
        let at = ConnectionAddr::Tcp("n".to_owned(), port);
        Node::new(&connections, Place { at, name: format!("n:{port}").into() })
    }

    #[test]
    fn a_slot_has_one_owner_and_a_correction_changes_that_slot_alone() {
        let (mut table, [a, b, c]) = (Table::default(), [1, 2, 3].map(node));
        assert!(table.owner("k").is_none());
        let (gone, is_new) = table.replace(vec![(0, 8191, a.clone()), (8192, 16_383, b.clone())], BootTime::START);
        assert!(gone.is_empty() && is_new);
        let first = (0..).map(|number| format!("k{number}")).find(|key| slots::slot(key) < 8192).expect("there is one");
        let second = (0..).map(|number| format!("k{number}")).find(|key| slots::slot(key) > 8191).expect("another");
        let owner = |table: &Table, key: &str| table.owner(key).map(|node| Arc::clone(&node.place));
        assert_eq!(owner(&table, &first), Some(a.place.clone()));
        assert_eq!(owner(&table, &second), Some(b.place.clone()));
        assert!(
            !table.correct(&first, &b, BootTime::START) && table.correct(&first, &c, BootTime::START),
            "only the last is new"
        );
        assert_eq!(owner(&table, &first), Some(c.place.clone()));
        assert_eq!(owner(&table, &second), Some(b.place.clone()));
        let (gone, is_new) = table.replace(vec![(0, 16_383, b.clone())], BootTime::START);
        assert_eq!((gone.len(), is_new), (2, false));
        assert_eq!(owner(&table, &first), Some(b.place.clone()));
    }

    #[test]
    fn a_shard_keeps_the_tag_that_it_is_heard_by_until_it_is_not() {
        let (mut table, [a, b]) = (Table::default(), [1, 2].map(node));
        table.replace(vec![(0, 16_383, a.clone())], BootTime::START);
        let first = a.tag();
        a.set_heard(Some(first));
        // It loses the slot of its tag among others.
        let half = if slots::slot(&first.to_string()) < 8192 { (8192, 16_383) } else { (0, 8191) };
        let rest = if half.0 == 0 { (8192, 16_383) } else { (0, 8191) };
        table.replace(vec![(half.0, half.1, a.clone()), (rest.0, rest.1, b)], BootTime::START);
        assert!(a.shard() != first && a.tag() == first && a.hears(first));
        a.set_heard(None);
        assert!(a.tag() == a.shard() && !a.hears(a.tag()));
    }
}
