//! The servers: a master that runs the scripts as they are sent, and replicas that copy it with a lag.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    about::{About, Script, ScriptKind, Seat},
    lua::{Host, Stores},
    plan::{MICROSECOND, Time},
    redis::{Entry, Redis, Reply},
    weakness::Weakness,
};

/// What the servers' clocks show when the world begins, in microseconds.
pub(crate) const EPOCH: u64 = 1_800_000_000_000_000;

/// All servers, the first of which begins as the master.
#[derive(Debug)]
pub(crate) struct Servers {
    host: Host,
    stores: Rc<Stores>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) master: usize,
    /// Where new connections lead.
    pub(crate) address: usize,
    /// What the servers' clocks are ahead.
    pub(crate) step: i64,
    weakness: Option<Weakness>,
    /// How many lives the master had, and how many processes there were.
    pub(crate) life: u64,
    runs: u64,
    /// How many texts of scripts were weakened.
    pub(crate) weakened: u64,
    /// The text of each script by its hash.
    texts: BTreeMap<Vec<u8>, Rc<Script>>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    scripts: Vec<Vec<u8>>,
    /// Until when it does not run, loads its data, or does nothing.
    pub(crate) down: Time,
    pub(crate) loading: Time,
    pub(crate) stalled: Time,
    /// Which connection listens to which channel.
    pub(crate) listeners: BTreeMap<Vec<u8>, Vec<usize>>,
    last: u64,
}

impl Servers {
    pub(crate) fn new(count: usize, weakness: Option<Weakness>) -> Self {
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
            life: 0,
            runs: 0,
            weakened: 0,
            texts: BTreeMap::new(),
        };
        for node in 0..count {
            // They have been there for long.
            servers.begin_run(node, EPOCH - 3_600_000_000);
        }
        servers.promote(0);
        servers
    }

    /// A server is another process, from that time on.
    pub(crate) fn begin_run(&mut self, node: usize, started: u64) {
        self.runs += 1;
        self.stores.all.borrow_mut()[node].begin_run(self.runs, started);
    }

    pub(crate) fn promote(&mut self, node: usize) {
        self.master = node;
        self.begin_life();
        let before = self.life - 1;
        self.store(node, |store| store.goes_on_from(before));
        for (at, store) in self.stores.all.borrow_mut().iter_mut().enumerate() {
            store.is_replica = at != node;
            store.hurries = self.weakness == Some(Weakness::LeasesEndEarly);
        }
    }

    /// The master has another replication id, as after a restart or a promotion; its replicas take that over.
    pub(crate) fn begin_life(&mut self) {
        self.life += 1;
        self.stores.all.borrow_mut().iter_mut().for_each(|store| store.begin_life(self.life));
    }

    /// Does something to the keys of a server.
    pub(crate) fn store<T>(&self, node: usize, work: impl FnOnce(&mut Redis) -> T) -> T {
        work(&mut self.stores.all.borrow_mut()[node])
    }

    /// Its clock moves on: no two scripts run in the same microsecond, as none is that quick.
    pub(crate) fn tick(&mut self, node: usize, now: Time) -> u64 {
        let time = (EPOCH + now / MICROSECOND).saturating_add_signed(self.step).max(self.nodes[node].last + 1);
        self.nodes[node].last = time;
        self.stores.current.set(node);
        self.stores.all.borrow_mut()[node].now = time;
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
        let mut stores = self.stores.all.borrow_mut();
        let (value, expires) = stores[self.master].text(lock.as_bytes())?;
        let token = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        Some((String::from_utf8_lossy(token).into_owned(), expires.unwrap_or(u64::MAX)))
    }

    /// The last fence that is reserved for who has a lock; 0 if it is free, or another client has it.
    pub(crate) fn last_fence(&self, lock: &str) -> u64 {
        let mut stores = self.stores.all.borrow_mut();
        let Some((value, _)) = stores[self.master].text(lock.as_bytes()) else { return 0 };
        let fence = value.split(|byte| *byte == b' ').nth(1);
        fence.and_then(|fence| std::str::from_utf8(fence).ok()?.parse().ok()).unwrap_or(0)
    }

    /// Who stands in the queue of a lock.
    pub(crate) fn seats(&self, lock: &str) -> Vec<Seat> {
        let mut stores = self.stores.all.borrow_mut();
        let store = &mut stores[self.master];
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

    /// The names of all keys at the master.
    pub(crate) fn all(&self) -> Vec<String> {
        let names = self.store(self.master, Redis::all);
        names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    /// What was written at the last command, and what was published, for the replicas and the listeners.
    #[expect(clippy::type_complexity, reason = "two plain lists")]
    pub(crate) fn effects(&self, node: usize) -> (Vec<(Vec<u8>, Option<Entry>)>, Vec<(Vec<u8>, Vec<u8>)>) {
        let mut stores = self.stores.all.borrow_mut();
        let store = &mut stores[node];
        let written = std::mem::take(&mut store.written);
        if node != self.master || self.nodes.len() == 1 {
            // Nobody copies it.
            return (Vec::new(), std::mem::take(&mut store.published));
        }
        let copies = written.into_iter().map(|key| (key.clone(), store.keys.get(&key).cloned())).collect();
        (copies, std::mem::take(&mut store.published))
    }

    /// The script of a request, if it is one that runs one.
    pub(crate) fn script(&mut self, words: &[Vec<u8>]) -> Option<Rc<Script>> {
        match &*words[0] {
            b"EVALSHA" => self.texts.get(&words[1]).cloned(),
            b"EVAL" => {
                let hash = hash_of(&words[1]);
                if !self.texts.contains_key(&hash) {
                    let text = String::from_utf8_lossy(&words[1]).into_owned();
                    let kind = match &*text {
                        text if text.contains("ARGV[7] 1 if it asked before") => ScriptKind::Acquire,
                        text if text.contains("-- Starts a lease anew") => ScriptKind::Renew,
                        text if text.contains("-- Gives back whatever") => ScriptKind::Release,
                        text if text.contains("-- Takes locks that are probably free") => ScriptKind::AcquireMany,
                        text if text.contains("-- Gives locks back for which nobody") => ScriptKind::ReleaseMany,
                        text if text.contains("-- Says who holds a lock") => ScriptKind::Inspect,
                        _ => ScriptKind::Other,
                    };
                    let spoilt = self.weakness.and_then(|weakness| weakness.spoil(&text));
                    self.weakened += u64::from(spoilt.is_some());
                    let function = self.host.load(spoilt.unwrap_or(text).as_bytes());
                    self.texts.insert(hash.clone(), Rc::new(Script { kind, hash: hash.clone(), function }));
                }
                self.texts.get(&hash).cloned()
            }
            _ => None,
        }
    }

    /// What kind of a script a request runs.
    pub(crate) fn kind(&mut self, words: &[Vec<u8>]) -> Option<ScriptKind> {
        let kind = self.script(words)?.kind;
        let shortens = kind == ScriptKind::Renew && argument(words, 3).is_some_and(|word| word == b"1");
        Some(if shortens { ScriptKind::Shorten } else { kind })
    }

    /// The locks that a request is about.
    pub(crate) fn about(&self, words: &[Vec<u8>], kind: Option<ScriptKind>) -> Vec<About> {
        let word =
            |place: usize| words.get(place).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        // What is set begins with a token.
        let about = |lock: usize, by: usize| {
            let (lock, by) = (word(lock), word(by).split(' ').next().unwrap_or_default().to_owned());
            About { seats: self.seats(&lock), lock, by }
        };
        let keys = keys_of(words).unwrap_or(0);
        match kind {
            None => vec![about(1, 2)],
            Some(ScriptKind::AcquireMany) => {
                // The fence clock comes between the first lock and its queue.
                let lock = |place: usize| if place == 0 { 3 } else { 4 + 2 * place };
                (0..keys / 2).map(|place| about(lock(place), 3 + keys + 2 + 3 * place)).collect()
            }
            Some(ScriptKind::ReleaseMany) => (0..keys).map(|place| about(3 + place, 3 + keys + place)).collect(),
            Some(_) => vec![about(3, 3 + keys)],
        }
    }

    /// Carries out a request of one reply. Its time was set by [`tick`](Self::tick).
    pub(crate) fn run(&mut self, node: usize, words: &[Vec<u8>], now: Time) -> Reply {
        if now < self.nodes[node].loading && !matches!(&*words[0], b"PING" | b"INFO" | b"ROLE" | b"AUTH" | b"SELECT") {
            return Reply::Error("LOADING Redis is loading the dataset in memory".to_owned());
        }
        let is_master = node == self.master;
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
                let info = format!("redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:{role}\r\n");
                Reply::Text((info + "maxmemory_policy:noeviction\r\n").into_bytes())
            }
            b"PING" => Reply::Status("PONG".to_owned()),
            b"AUTH" | b"SELECT" | b"CLIENT" => Reply::Status("OK".to_owned()),
            _ => {
                let words = words.iter().map(Vec::as_slice).collect::<Vec<_>>();
                self.host.with_redis(|redis| redis.command(&words))
            }
        }
    }
}

/// How many keys a script is told of.
fn keys_of(words: &[Vec<u8>]) -> Option<usize> {
    std::str::from_utf8(words.get(2)?).ok()?.parse().ok()
}

/// `ARGV` of a script at that place.
fn argument(words: &[Vec<u8>], place: usize) -> Option<&[u8]> {
    words.get(2 + keys_of(words)? + place).map(Vec::as_slice)
}

/// By what name a server knows a script. Each is worked out once for all worlds of a thread.
fn hash_of(text: &[u8]) -> Vec<u8> {
    thread_local! {
        static KNOWN: RefCell<BTreeMap<Vec<u8>, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(hash) = known.get(text) {
            return hash.clone();
        }
        let hash = redis::Script::new(&String::from_utf8_lossy(text)).get_hash().as_bytes().to_vec();
        known.insert(text.to_vec(), hash.clone());
        hash
    })
}

fn no_script() -> Reply {
    Reply::Error("NOSCRIPT No matching script. Please use EVAL.".to_owned())
}
