//! The servers: a master that runs the scripts as they are sent, and replicas that copy it with a lag.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    about::{Script, Seat, keys_of},
    cluster::Slots,
    lua::{Host, Stores},
    plan::{MICROSECOND, Plan, Time},
    redis::{Entry, Redis, Reply},
    sentinels::Belief,
    weakness::Weakness,
};

/// What the servers' clocks show when the world begins, in microseconds.
pub(crate) const EPOCH: u64 = 1_800_000_000_000_000;

/// All servers, the first of which begins as the master.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) host: Host,
    stores: Rc<Stores>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) master: usize,
    /// Where new connections lead.
    pub(crate) address: usize,
    /// What the servers' clocks are ahead.
    pub(crate) step: i64,
    pub(crate) weakness: Option<Weakness>,
    /// Whether they can compare and delete without a script.
    is_valkey: bool,
    /// How many lives the master had, and how many processes there were.
    pub(crate) life: u64,
    runs: u64,
    /// How many texts of scripts were weakened.
    pub(crate) weakened: u64,
    /// What sentinels believe, who come behind all servers with data.
    pub(crate) beliefs: Vec<Belief>,
    /// Which of them has which slots, if they are a cluster.
    pub(crate) slots: Option<Rc<RefCell<Slots>>>,
    /// The text of each script by its hash.
    pub(crate) texts: BTreeMap<Vec<u8>, Rc<Script>>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    scripts: Vec<Vec<u8>>,
    /// Until when it does not run, loads its data, or does nothing.
    pub(crate) down: Time,
    pub(crate) loading: Time,
    pub(crate) stalled: Time,
    /// Counts the changes of the master that it copies.
    pub(crate) era: u32,
    /// Which connection listens to which channel.
    pub(crate) listeners: BTreeMap<Vec<u8>, Vec<usize>>,
    last: u64,
}

impl Servers {
    pub(crate) fn new(plan: &Plan, weakness: Option<Weakness>) -> Self {
        let count = plan.masters.max(1) * (1 + plan.replicas) + plan.sentinels;
        let stores = Stores::new(count);
        let host = Host::new(Rc::clone(&stores)).expect("Lua begins");
        let nodes = (0..count).map(|_| Node::default()).collect();
        let mut servers = Self {
            host,
            stores,
            nodes,
            master: 0,
            address: 0,
            step: 0,
            weakness,
            is_valkey: plan.processes % 2 == 1,
            life: 0,
            runs: 0,
            weakened: 0,
            beliefs: vec![Belief::default(); plan.sentinels],
            slots: None,
            texts: BTreeMap::new(),
        };
        for node in 0..count {
            // They have been there for long.
            servers.begin_run(node, EPOCH - 3_600_000_000);
        }
        if plan.masters > 0 {
            servers.form_cluster(plan.masters, weakness);
        }
        (0..plan.masters.max(1)).for_each(|node| servers.promote(node));
        servers
    }

    /// The server at an address.
    pub(crate) fn at(&self, address: &str) -> usize {
        let host = address.split(':').next().unwrap_or_default();
        let number = |kind: &str| host.strip_prefix(kind)?.parse::<usize>().ok();
        let sentinel = number("sentinel").map(|sentinel| self.first_sentinel() + sentinel);
        number("server").or(sentinel).unwrap_or(self.address)
    }

    /// A server is another process, from that time on.
    pub(crate) fn begin_run(&mut self, node: usize, started: u64) {
        self.runs += 1;
        self.stores.all.borrow_mut()[node].begin_run(self.runs, started);
    }

    pub(crate) fn promote(&mut self, node: usize) {
        self.master = node;
        self.goes_on(node);
        for at in self.shard(node) {
            self.store(at, |store| {
                store.is_replica = at != node;
                store.hurries = self.weakness == Some(Weakness::LeasesEndEarly);
            });
        }
    }

    /// A master has another replication id, as after a restart or a promotion; its replicas take that over.
    pub(crate) fn begin_life(&mut self, node: usize) {
        self.life += 1;
        self.shard(node).into_iter().for_each(|node| self.store(node, |store| store.begin_life(self.life)));
    }

    /// The same of one that finds its history in its data.
    pub(crate) fn goes_on(&mut self, node: usize) {
        let before = self.store(node, |store| store.life());
        self.begin_life(node);
        self.store(node, |store| store.goes_on_from(before));
    }

    /// Does something to the keys of a server.
    pub(crate) fn store<T>(&self, node: usize, work: impl FnOnce(&mut Redis) -> T) -> T {
        work(&mut self.stores.all.borrow_mut()[node])
    }

    /// Its clock moves on: no two scripts run in the same microsecond, as none is that quick.
    pub(crate) fn tick(&mut self, node: usize, now: Time) -> u64 {
        let time = (EPOCH + now / MICROSECOND).saturating_add_signed(self.step).max(self.nodes[node].last + 1);
        self.stores.current.set(node);
        // All masters of a cluster are looked at together.
        for at in (0..self.nodes.len()).filter(|at| *at == node || self.slots.is_some()) {
            self.nodes[at].last = time;
            self.stores.all.borrow_mut()[at].now = time;
        }
        time
    }

    /// The clocks are stepped, by so many microseconds.
    pub(crate) fn step(&mut self, by: i64) {
        self.step += by;
        self.nodes.iter_mut().for_each(|node| node.last = 0);
    }

    pub(crate) fn forget_scripts(&mut self, node: usize) {
        self.nodes[node].scripts.clear();
    }

    /// One more connection listens, or one less.
    pub(crate) fn listen(&mut self, node: usize, channel: &[u8], connection: usize, on: bool) {
        let listeners = self.nodes[node].listeners.entry(channel.to_vec()).or_default();
        let before = listeners.len() as i64;
        listeners.retain(|known| *known != connection);
        if on {
            listeners.push(connection);
        }
        let more = listeners.len() as i64 - before;
        self.stores.all.borrow_mut()[node].listen(channel, more);
    }

    pub(crate) fn listeners(&self, node: usize, channel: &[u8]) -> Vec<usize> {
        self.nodes[node].listeners.get(channel).cloned().unwrap_or_default()
    }

    /// The owner token of a lock at the master, and the last millisecond, by its clock, in which it has it.
    pub(crate) fn owner(&self, lock: &str) -> Option<(String, u64)> {
        let home = self.home(lock.as_bytes());
        let mut stores = self.stores.all.borrow_mut();
        let (value, expires) = stores[home].text(lock.as_bytes())?;
        let token = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        Some((String::from_utf8_lossy(token).into_owned(), expires.unwrap_or(u64::MAX)))
    }

    /// The last fence that is reserved for who has a lock; 0 if it is free, or another client has it.
    pub(crate) fn last_fence(&self, lock: &str) -> u64 {
        let home = self.home(lock.as_bytes());
        let mut stores = self.stores.all.borrow_mut();
        let Some((value, _)) = stores[home].text(lock.as_bytes()) else { return 0 };
        let fence = value.split(|byte| *byte == b' ').nth(1);
        fence.and_then(|fence| std::str::from_utf8(fence).ok()?.parse().ok()).unwrap_or(0)
    }

    /// Who stands in the queue of a lock.
    pub(crate) fn seats(&self, lock: &str) -> Vec<Seat> {
        let home = self.home(format!("{{{lock}}}:queue").as_bytes());
        let mut stores = self.stores.all.borrow_mut();
        let store = &mut stores[home];
        let mut helper = |name: &str| {
            let sorted = store.sorted(["{", lock, "}:", name].concat().as_bytes());
            sorted.and_then(Result::ok).cloned().unwrap_or_default()
        };
        let members = helper("queue");
        if members.is_empty() {
            return Vec::new();
        }
        let seen = helper("seen");
        let seat = |(_, member): (f64, Vec<u8>)| {
            let counts = seen.iter().find(|(_, name)| *name == member).map_or(0.0, |(score, _)| *score);
            let token = String::from_utf8_lossy(&member).split(' ').next().unwrap_or_default().to_owned();
            let channel = format!("dlock:{}", token.split('-').next().unwrap_or_default());
            let is_heard = store.listeners(channel.as_bytes()) > 0;
            Seat { token, is_heard, counts }
        };
        members.into_iter().map(seat).collect()
    }

    /// The names of all keys at the masters.
    pub(crate) fn all(&self) -> Vec<String> {
        let names = self.masters().into_iter().flat_map(|node| self.store(node, Redis::all));
        names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    /// What was written at the last command, and what was published, for the replicas and the listeners.
    #[expect(clippy::type_complexity, reason = "two plain lists")]
    pub(crate) fn effects(&self, node: usize) -> (Vec<(Vec<u8>, Option<Entry>)>, Vec<(Vec<u8>, Vec<u8>)>) {
        let is_copied = !self.replicas(node).is_empty();
        let mut stores = self.stores.all.borrow_mut();
        let store = &mut stores[node];
        let written = std::mem::take(&mut store.written);
        if !is_copied {
            // Nobody copies it.
            return (Vec::new(), std::mem::take(&mut store.published));
        }
        let copies = written.into_iter().map(|key| (key.clone(), store.keys.get(&key).cloned())).collect();
        (copies, std::mem::take(&mut store.published))
    }

    /// Carries out a request of one reply. Its time was set by [`tick`](Self::tick).
    pub(crate) fn run(&mut self, node: usize, words: &[Vec<u8>], now: Time) -> Reply {
        if now < self.nodes[node].loading && !matches!(&*words[0], b"PING" | b"INFO" | b"ROLE" | b"AUTH" | b"SELECT") {
            return Reply::Error("LOADING Redis is loading the dataset in memory".to_owned());
        }
        if let Some(refusal) = self.refusal(node, words, now) {
            return refusal;
        }
        if let Some(reply) = self.sentinel_reply(node, words) {
            return reply;
        }
        let is_master = !self.store(node, |store| store.is_replica);
        match &*words[0] {
            b"EVAL" | b"EVALSHA" => {
                let Some(script) = self.script(words) else { return no_script() };
                if !self.nodes[node].scripts.contains(&script.hash) {
                    if &*words[0] == b"EVALSHA" {
                        return no_script();
                    }
                    self.nodes[node].scripts.push(script.hash.clone());
                }
                let count = keys_of(words).unwrap_or(0);
                let rest = words[3..].iter().map(Vec::as_slice).collect::<Vec<_>>();
                let (keys, args) = rest.split_at(count);
                let reply = script.function.clone().and_then(|function| self.host.run(&function, keys, args));
                reply.unwrap_or_else(|error| Reply::Error(format!("LUA {error}")))
            }
            b"ROLE" => {
                let role = if is_master { "master" } else { "slave" };
                Reply::List(vec![Reply::Text(role.into()), Reply::Int(0), Reply::List(Vec::new())])
            }
            b"INFO" => {
                let role = if is_master { "master" } else { "slave" };
                let mode = if self.slots.is_some() { "cluster" } else { "standalone" };
                let valkey = if self.is_valkey { "valkey_version:9.1.0\r\n" } else { "" };
                let info = format!("redis_version:7.2.4\r\n{valkey}redis_mode:{mode}\r\nrole:{role}\r\n");
                Reply::Text((info + "maxmemory_policy:noeviction\r\n").into_bytes())
            }
            b"DELIFEQ" if self.weakness == Some(Weakness::ComparedWithoutValue) => {
                self.host.with_redis(|redis| redis.command(&[b"DEL", &words[1]]))
            }
            b"CLUSTER" => self.describe_cluster(node, &words[1], now),
            b"PING" => Reply::Status("PONG".to_owned()),
            b"AUTH" | b"SELECT" | b"CLIENT" => Reply::Status("OK".to_owned()),
            _ => {
                let words = words.iter().map(Vec::as_slice).collect::<Vec<_>>();
                self.host.with_redis(|redis| redis.command(&words))
            }
        }
    }
}

fn no_script() -> Reply {
    Reply::Error("NOSCRIPT No matching script. Please use EVAL.".to_owned())
}
