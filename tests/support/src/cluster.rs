//! A Redis cluster of private servers, and what happens to clusters: slots that move, masters that fail, nodes that come and go.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::{Raw, RedisServer, Value, eventually};

/// What takes longer than this has failed, also on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// How many slots there are.
const SLOTS: usize = 16_384;

/// The nodes. Which of them are masters changes.
#[derive(Debug)]
pub struct Cluster {
    /// The masters come first, then the replicas of each, in their order.
    pub nodes: Vec<RedisServer>,
    options: Vec<String>,
}

/// What a node says of another.
struct Line {
    id: String,
    port: u16,
    is_myself: bool,
    is_master: bool,
    /// The id of its master.
    follows: String,
    has_slots: bool,
    is_well: bool,
}

impl Cluster {
    /// Starts so many masters, each with so many replicas, and returns when all of them agree and are in step. A master that is silent
    /// for two seconds is replaced.
    #[track_caller]
    pub fn start(masters: usize, replicas: usize) -> Self {
        Self::start_with(masters, replicas, &[])
    }

    /// The same with more options.
    #[track_caller]
    pub fn start_with(masters: usize, replicas: usize, options: &[&str]) -> Self {
        let usual = ["--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"];
        let options = [&usual[..], options].concat();
        let nodes = (0..masters * (1 + replicas)).map(|_| RedisServer::start_node(&options)).collect::<Vec<_>>();
        let cluster = Self { nodes, options: options.iter().map(|&option| option.to_owned()).collect() };
        for (at, node) in cluster.nodes.iter().enumerate() {
            let mut raw = node.raw();
            let mut tell = |words: &[&str]| assert!(raw.command(words).is_ok(), "{words:?}");
            tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
            if at < masters {
                let [first, next] = [at, at + 1].map(|at| SLOTS * at / masters);
                tell(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(next - 1).to_string()]);
            }
            if at > 0 {
                cluster.meet(at);
            }
        }
        cluster.until_known();
        for at in masters..cluster.nodes.len() {
            cluster.follow(at, (at - masters) % masters);
        }
        cluster.until_ok();
        cluster
    }

    /// Starts one node that has no slots.
    #[track_caller]
    pub fn start_empty() -> Self {
        Self { nodes: vec![RedisServer::start_node(&[])], options: Vec::new() }
    }

    /// One cluster of three masters for all tests of this process that leave it as it is.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(3, 0))
    }

    /// The URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The slot of a key.
    #[track_caller]
    pub fn slot(&self, key: &str) -> u16 {
        let slot = self.any().command(&["CLUSTER", "KEYSLOT", key]);
        slot.int().and_then(|slot| slot.try_into().ok()).expect("a slot")
    }

    /// The place in `nodes` of the master that has a slot, as most nodes say.
    #[track_caller]
    pub fn owner(&self, slot: u16) -> usize {
        let said = self.nodes.iter().filter_map(|node| owner(&mut node.try_raw()?, slot)).collect::<Vec<_>>();
        let most = said.iter().max_by_key(|port| said.iter().filter(|other| other == port).count());
        let most = *most.expect("somebody has the slot");
        self.nodes.iter().position(|node| node.port() == most).expect("one of ours")
    }

    /// The master that has a key.
    #[track_caller]
    pub fn of(&self, key: &str) -> &RedisServer {
        &self.nodes[self.owner(self.slot(key))]
    }

    /// The places of all masters that have slots.
    #[track_caller]
    pub fn masters(&self) -> Vec<usize> {
        let lines = lines(&mut self.any());
        let ports = lines.iter().filter(|line| line.is_master && line.has_slots).map(|line| line.port);
        ports.filter_map(|port| self.nodes.iter().position(|node| node.port() == port)).collect()
    }

    /// A key that begins with `start` and lies at a master.
    #[track_caller]
    pub fn key_at(&self, master: usize, start: &str) -> String {
        let keys = (0..).map(|number| format!("{start}{number}"));
        keys.into_iter().find(|key| self.owner(self.slot(key)) == master).expect("there is one")
    }

    /// From now on a slot is on its way to the node at `to`: new keys go there.
    #[track_caller]
    pub fn begin_to_move(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        let [source, target] = [from, to].map(|at| self.id(at));
        let slot = slot.to_string();
        self.tell(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        self.tell(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
    }

    /// Moves the keys of a slot that is on its way, and then the slot.
    #[track_caller]
    pub fn finish_moving(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        self.move_keys(slot, from, to, usize::MAX);
        let (target, port, mut told) = (self.id(to), self.nodes[to].port(), None::<Instant>);
        let others = (0..self.nodes.len()).filter(|at| *at != from && *at != to);
        let all = [to, from].into_iter().chain(others).collect::<Vec<_>>();
        eventually("all agree who has the slot", SOON, || {
            // What the old owner said last may come after all of this. It is believed unless the new one has a higher epoch; then nobody
            // has the slot, and the keys that were moved are deleted.
            if self.epoch(to) <= self.epoch(from) {
                self.nodes[to].raw().command(&["CLUSTER", "BUMPEPOCH"]);
                return false;
            }
            if told.is_none_or(|told| told.elapsed() > Duration::from_secs(1)) {
                for at in &all {
                    // Replicas hear of it from their masters.
                    if let Some(mut raw) = self.nodes[*at].try_raw() {
                        raw.command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &target]);
                    }
                }
                told = Some(Instant::now());
            }
            self.nodes.iter().filter_map(RedisServer::try_raw).all(|mut raw| owner(&mut raw, slot) == Some(port))
        });
    }

    /// The epoch in which a node had its slots confirmed last, 0 if it does not run.
    fn epoch(&self, at: usize) -> u64 {
        let epoch = self.nodes[at].try_raw().and_then(|mut raw| raw.info(&["CLUSTER", "INFO"], "cluster_my_epoch"));
        epoch.map_or(0, |epoch| epoch.parse().expect("a number"))
    }

    /// Moves at most `most` keys of a slot that is on its way.
    #[track_caller]
    pub fn move_keys(&self, slot: u16, from: usize, to: usize, most: usize) {
        let (mut raw, port) = (self.nodes[from].raw(), self.nodes[to].port().to_string());
        let mut moved = 0;
        while moved < most {
            let keys = raw.command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1"]);
            let Value::List(keys) = keys else { panic!("keys: {keys:?}") };
            let Some(key) = keys.first().and_then(Value::text) else { return };
            // It may be gone by now.
            let reply = raw.command(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            assert!(!reply.is_error("IOERR"), "{reply:?}");
            moved += 1;
        }
    }

    /// Moves a slot with its keys.
    #[track_caller]
    pub fn move_slot(&self, slot: u16, to: usize) {
        self.begin_to_move(slot, to);
        self.finish_moving(slot, to);
    }

    /// Has a master replaced by one of its replicas, which it waits for. Returns the place of the new one.
    #[track_caller]
    pub fn fail_over(&self, master: usize) -> usize {
        let (replica, mut begun) = (self.replica_of(master), None::<Instant>);
        eventually("a replica takes over", SOON, || {
            // On a busy machine a replica gives up.
            if begun.is_none_or(|begun| begun.elapsed() > Duration::from_secs(6)) {
                self.nodes[replica].raw().command(&["CLUSTER", "FAILOVER"]);
                begun = Some(Instant::now());
            }
            let role = self.nodes[replica].raw().command(&["ROLE"]);
            matches!(role, Value::List(words) if words[0].text() == Some("master"))
        });
        self.until_master(replica);
        replica
    }

    /// Returns when all nodes that run take the node at `at` for a master with slots.
    #[track_caller]
    pub fn until_master(&self, at: usize) {
        let port = self.nodes[at].port();
        eventually("there is a new master", SOON, || {
            self.nodes
                .iter()
                .filter_map(RedisServer::try_raw)
                .all(|mut raw| lines(&mut raw).iter().any(|line| line.port == port && line.is_master && line.has_slots))
        });
    }

    /// The place of a replica of a master.
    #[track_caller]
    pub fn replica_of(&self, master: usize) -> usize {
        let (id, mut port) = (self.id(master), None);
        // The others may have to hear of it yet.
        eventually("it has a replica", SOON, || {
            let lines = lines(&mut self.nodes[master].raw());
            port = lines.iter().find(|line| line.follows == id).map(|line| line.port);
            port.is_some()
        });
        self.nodes.iter().position(|node| Some(node.port()) == port).expect("one of ours")
    }

    /// Adds a master without slots. Returns its place.
    #[track_caller]
    pub fn add_node(&mut self) -> usize {
        let options = self.options.iter().map(String::as_str).collect::<Vec<_>>();
        self.nodes.push(RedisServer::start_node(&options));
        self.meet(self.nodes.len() - 1);
        self.until_known();
        self.until_ok();
        self.nodes.len() - 1
    }

    /// Takes out the last node, which must have no slots any more, and ends it.
    #[track_caller]
    pub fn remove_node(&mut self) {
        let at = self.nodes.len() - 1;
        let id = self.id(at);
        for other in 0..at {
            self.tell(other, &["CLUSTER", "FORGET", &id]);
        }
        self.nodes.pop();
    }

    /// Returns when all nodes that run say that the cluster works, and all replicas are in step.
    #[track_caller]
    pub fn until_ok(&self) {
        eventually("the cluster works", SOON, || {
            self.nodes.iter().filter_map(RedisServer::try_raw).all(|mut raw| {
                let is_ok = raw.info(&["CLUSTER", "INFO"], "cluster_state").as_deref() == Some("ok");
                // A master has no such link.
                let link = raw.info(&["INFO", "replication"], "master_link_status");
                is_ok && link.is_none_or(|link| link == "up")
            })
        });
    }

    /// Returns when all nodes know each other.
    #[track_caller]
    fn until_known(&self) {
        eventually("the nodes know each other", SOON, || {
            self.nodes.iter().all(|node| {
                let lines = lines(&mut node.raw());
                lines.len() >= self.nodes.len() && lines.iter().all(|line| line.is_well)
            })
        });
    }

    #[track_caller]
    fn meet(&self, at: usize) {
        let [port, bus] = [self.nodes[at].port(), self.nodes[at].bus()].map(|port| port.to_string());
        self.tell(0, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
    }

    #[track_caller]
    fn follow(&self, at: usize, master: usize) {
        let id = self.id(master);
        // It may not have heard of its master yet.
        eventually("it follows", SOON, || self.nodes[at].raw().command(&["CLUSTER", "REPLICATE", &id]).is_ok());
    }

    /// The id of a node.
    #[track_caller]
    pub fn id(&self, at: usize) -> String {
        let port = self.nodes[at].port();
        let lines = lines(&mut self.any());
        lines.into_iter().find(|line| line.port == port).expect("it is known").id
    }

    #[track_caller]
    fn tell(&self, at: usize, words: &[&str]) {
        let reply = self.nodes[at].raw().command(words);
        assert!(reply.is_ok(), "{words:?}: {reply:?}");
    }

    #[track_caller]
    fn any(&self) -> Raw {
        self.nodes.iter().find_map(RedisServer::try_raw).expect("a node that runs")
    }
}

/// The port of the master that has a slot, as a node says.
fn owner(raw: &mut Raw, slot: u16) -> Option<u16> {
    let Value::List(ranges) = raw.try_command(&["CLUSTER", "SLOTS"]).ok()? else { return None };
    ranges.iter().find_map(|range| {
        let Value::List(parts) = range else { return None };
        let has = parts[0].int()? <= slot.into() && i64::from(slot) <= parts[1].int()?;
        let Value::List(master) = &parts[2] else { return None };
        master[1].int().filter(|_| has).and_then(|port| port.try_into().ok())
    })
}

/// What a node says of all of them.
#[track_caller]
fn lines(raw: &mut Raw) -> Vec<Line> {
    let nodes = raw.command(&["CLUSTER", "NODES"]);
    let line = |line: &str| {
        let words = line.split_whitespace().collect::<Vec<_>>();
        let flags = words[2].split(',').collect::<Vec<_>>();
        let address = words[1].split(['@', ',']).next()?;
        let is = |flag: &str| flags.contains(&flag);
        Some(Line {
            id: words[0].to_owned(),
            port: address.rsplit(':').next()?.parse().ok()?,
            is_myself: is("myself"),
            is_master: is("master"),
            follows: words[3].to_owned(),
            has_slots: words.len() > 8,
            is_well: !is("handshake") && !is("fail") && !is("noaddr"),
        })
    };
    let lines = nodes.text().expect("CLUSTER NODES is text").lines().filter_map(line).collect::<Vec<_>>();
    assert!(lines.iter().any(|line| line.is_myself), "{nodes:?}");
    lines
}
