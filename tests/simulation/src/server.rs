//! The servers: masters that run the scripts as they are sent, and replicas that copy them with a lag.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    about::{Script, Seat, keys_of},
    cluster::{Move, SLOTS, Slots},
    lua::Host,
    plan::{MICROSECOND, Plan, Time},
    redis::{Redis, Reply, in_order},
    sentinels::Belief,
    weakness::Weakness,
};

/// What the servers' clocks show when the world begins, in microseconds.
pub(crate) const EPOCH: u64 = 1_800_000_000_000_000;

/// All servers, the first of which begins as the master.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) host: Host,
    pub(crate) nodes: Vec<Redis>,
    /// The master, or that of a cluster which became one last; and how many there are.
    pub(crate) master: usize,
    pub(crate) shards: usize,
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
    /// The fence clocks that lost their first writes in a life, and of which life they say that they are.
    pub(crate) behind: BTreeMap<Vec<u8>, Reply>,
    /// The text of each script by its hash.
    pub(crate) texts: BTreeMap<Vec<u8>, Rc<Script>>,
}

impl Servers {
    pub(crate) fn new(plan: &Plan, weakness: Option<Weakness>) -> Self {
        let shards = plan.masters.max(1);
        let count = shards * (1 + plan.replicas) + plan.sentinels;
        let slots = (plan.masters > 0).then(|| Rc::new(RefCell::new(Slots::new(shards, count, weakness))));
        let hurries = weakness == Some(Weakness::LeasesEndEarly);
        let nodes = (0..count).map(|node| Redis { node, slots: slots.clone(), hurries, ..Redis::default() });
        let mut servers = Self {
            host: Host::new().expect("Lua begins"),
            nodes: nodes.collect(),
            master: 0,
            shards,
            address: 0,
            step: 0,
            weakness,
            is_valkey: plan.processes % 2 == 1,
            life: 0,
            runs: 0,
            weakened: 0,
            beliefs: vec![Belief::default(); plan.sentinels],
            slots,
            behind: BTreeMap::new(),
            texts: BTreeMap::new(),
        };
        // They have been there for long.
        (0..count).for_each(|node| servers.begin_run(node, EPOCH - 3_600_000_000));
        (0..shards).for_each(|node| servers.promote(node));
        servers
    }

    /// The server at an address.
    pub(crate) fn at(&self, address: &str) -> usize {
        let host = address.split(':').next().unwrap_or_default();
        let number = |kind: &str| host.strip_prefix(kind)?.parse::<usize>().ok();
        let sentinel = number("sentinel").map(|sentinel| self.first_sentinel() + sentinel);
        number("server").or(sentinel).unwrap_or(self.address)
    }

    pub(crate) fn master(&mut self) -> &mut Redis {
        &mut self.nodes[self.master]
    }

    /// A server is another process, from that time on.
    pub(crate) fn begin_run(&mut self, node: usize, started: u64) {
        self.runs += 1;
        (self.nodes[node].run, self.nodes[node].started) = (self.runs, started);
    }

    pub(crate) fn promote(&mut self, node: usize) {
        self.master = node;
        self.begin_life(node, true);
        self.shard(node).into_iter().for_each(|at| self.nodes[at].is_replica = at != node);
    }

    /// A replica has taken the place of its master, and its slots.
    pub(crate) fn take_over(&mut self, from: usize, to: usize, stale: Time) {
        self.promote(to);
        if let Some(slots) = &self.slots {
            slots.borrow_mut().pass(Move { slots: 0..SLOTS, from, to }, stale);
        }
    }

    /// A master has another replication id, as after a restart or a promotion; its replicas take that over. It goes on from the one
    /// before if it finds its history in its data.
    pub(crate) fn begin_life(&mut self, node: usize, goes_on: bool) {
        self.life += 1;
        let before = if goes_on { self.nodes[node].life } else { 0 };
        for at in self.shard(node) {
            (self.nodes[at].life, self.nodes[at].before) = (self.life, if at == node { before } else { 0 });
        }
    }

    /// Its clock moves on: no two scripts run in the same microsecond, as none is that quick.
    pub(crate) fn tick(&mut self, node: usize, now: Time) {
        let time = (EPOCH + now / MICROSECOND).saturating_add_signed(self.step).max(self.nodes[node].now + 1);
        // All masters of a cluster are looked at together.
        let is_cluster = self.slots.is_some();
        self.nodes.iter_mut().filter(|at| at.node == node || is_cluster).for_each(|at| at.now = time);
    }

    /// The owner token of a lock at the master, and the last millisecond, by its clock, in which it has it. And the last fence that is
    /// reserved for it; 0 if the lock is free, or another client has it.
    pub(crate) fn owner(&self, lock: &str) -> (Option<(String, u64)>, u64) {
        let lock = lock.as_bytes();
        let Some((value, expires)) = self.nodes[self.home(lock)].string(lock) else { return (None, 0) };
        let value = String::from_utf8_lossy(value);
        let (token, rest) = value.split_once(' ').unwrap_or((&value, ""));
        let last = rest.split(' ').next().and_then(|fence| fence.parse().ok());
        (Some((token.to_owned(), expires.unwrap_or(u64::MAX))), last.unwrap_or(0))
    }

    /// Who stands in the queue of a lock.
    pub(crate) fn seats(&self, lock: &str) -> Vec<Seat> {
        let [queue, seen] = ["queue", "seen"].map(|helper| ["{", lock, "}:", helper].concat());
        let store = &self.nodes[self.home(queue.as_bytes())];
        let [queue, seen] = [queue, seen].map(|helper| store.sorted(helper.as_bytes()));
        let seat = |(member, _): (&[u8], f64)| {
            let counts = seen.and_then(|seen| seen.get(member)).copied().unwrap_or(0.0);
            let token = String::from_utf8_lossy(member).split(' ').next().unwrap_or_default().to_owned();
            let channel = format!("dlock:{}", token.split('-').next().unwrap_or_default());
            Seat { token, is_heard: store.hearers(channel.as_bytes()) > 0, counts }
        };
        queue.map(in_order).into_iter().flatten().map(seat).collect()
    }

    /// Whether a message is about to leave that says to whom a lock was handed.
    pub(crate) fn tell(&self, token: &str) -> bool {
        let grant = format!("granted {token} ");
        let mut published = self.nodes.iter().flat_map(|node| &node.published);
        published.any(|(_, message)| message.starts_with(grant.as_bytes()))
    }

    /// The names of all keys at the masters.
    pub(crate) fn all(&self) -> Vec<String> {
        let names = self.masters().into_iter().flat_map(|node| self.nodes[node].all());
        names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    /// Carries out a request of one reply. Its time was set by [`tick`](Self::tick).
    pub(crate) fn run(&mut self, node: usize, words: &[Vec<u8>], now: Time) -> Reply {
        let verb = &*words[0];
        if now < self.nodes[node].loading && !matches!(verb, b"PING" | b"INFO" | b"ROLE" | b"AUTH" | b"SELECT") {
            return Reply::error("LOADING Redis is loading the dataset in memory");
        }
        if let Some(reply) = self.refusal(node, words, now).or_else(|| self.sentinel_reply(node, words)) {
            return reply;
        }
        let role = if self.nodes[node].is_replica { "slave" } else { "master" };
        match verb {
            b"EVAL" | b"EVALSHA" => self.eval(node, words),
            b"ROLE" => Reply::List(vec![Reply::text(role), Reply::Int(0), Reply::List(Vec::new())]),
            b"INFO" => {
                let mode = if self.slots.is_some() { "cluster" } else { "standalone" };
                let valkey = if self.is_valkey { "valkey_version:9.1.0\r\n" } else { "" };
                let info = format!("redis_version:7.2.4\r\n{valkey}redis_mode:{mode}\r\nrole:{role}\r\n");
                Reply::text(info + "maxmemory_policy:noeviction\r\n")
            }
            b"DELIFEQ" if self.weakness == Some(Weakness::ComparedWithoutValue) => {
                self.nodes[node].command(&[b"DEL", &words[1]])
            }
            b"CLUSTER" => match &self.slots {
                Some(slots) => slots.borrow().describe(node, &words[1], now),
                None => Reply::error("ERR This instance has cluster support disabled"),
            },
            b"PING" => Reply::Status("PONG".to_owned()),
            b"AUTH" | b"SELECT" | b"CLIENT" => Reply::ok(),
            _ => self.nodes[node].command(&words.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        }
    }

    fn eval(&mut self, node: usize, words: &[Vec<u8>]) -> Reply {
        let script = self.script(words);
        let server = &mut self.nodes[node];
        let is_known = |script: &Rc<Script>| &*words[0] == b"EVAL" || server.scripts.contains(&script.hash);
        let Some(script) = script.filter(is_known) else {
            return Reply::error("NOSCRIPT No matching script. Please use EVAL.");
        };
        server.scripts.insert(script.hash.clone());
        let rest = words[3..].iter().map(Vec::as_slice).collect::<Vec<_>>();
        let (keys, args) = rest.split_at(keys_of(words).unwrap_or(0));
        let reply = script.function.clone().and_then(|function| self.host.run(server, &function, keys, args));
        reply.unwrap_or_else(|error| Reply::error(format!("LUA {error}")))
    }
}
