//! A master with two replicas, and three sentinels that watch over them.

use std::{sync::OnceLock, time::Duration};

use crate::{RedisServer, Value, eventually};

/// A failover that takes longer than this has failed, also on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// The servers, and the sentinels.
#[derive(Debug)]
pub struct Sentinels {
    /// Which of them is the master changes.
    pub servers: Vec<RedisServer>,
    /// The sentinels.
    pub sentinels: Vec<RedisServer>,
}

impl Sentinels {
    /// The name of the master.
    pub const MASTER: &'static str = "mymaster";

    /// Starts all of them, and returns when the sentinels know of each other and of the replicas. They replace a master that is
    /// silent for a second.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(Duration::from_secs(1), &[])
    }

    /// The same with sentinels that are slower, and servers with more options.
    #[track_caller]
    pub fn start_with(down_after: Duration, options: &[&str]) -> Self {
        let options = [&["--repl-diskless-sync-delay", "0"], options].concat();
        let master = RedisServer::start_with(&options);
        let mut servers = vec![master];
        for _ in 0..2 {
            let replica = RedisServer::start_with(&options);
            replica.follow(&servers[0]);
            servers.push(replica);
        }
        let lines = format!(
            "sentinel monitor {name} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {name} {}\n\
             sentinel failover-timeout {name} 4000\nsentinel parallel-syncs {name} 2\n",
            servers[0].port(),
            down_after.as_millis(),
            name = Self::MASTER,
        );
        let sentinels = (0..3).map(|_| RedisServer::start_sentinel(&lines)).collect();
        let group = Self { servers, sentinels };
        group.until_ready();
        group
    }

    /// One group for all tests of this process that leave its master alone.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Sentinels> = OnceLock::new();
        SHARED.get_or_init(|| Self::start_with(Duration::from_secs(30), &[]))
    }

    /// The URLs of the sentinels.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// Where the server is that most sentinels name.
    #[track_caller]
    pub fn master(&self) -> &RedisServer {
        &self.servers[self.master_at()]
    }

    /// The place of the master in `servers`.
    #[track_caller]
    pub fn master_at(&self) -> usize {
        let named = self.sentinels.iter().filter_map(named).collect::<Vec<_>>();
        let most = named.iter().max_by_key(|port| named.iter().filter(|other| other == port).count());
        let most = most.expect("a sentinel that answers");
        self.servers.iter().position(|server| server.port() == *most).expect("one of ours")
    }

    /// Has the sentinels replace the master by one of its replicas, and returns when all of them know.
    #[track_caller]
    pub fn fail_over(&self) {
        let before = self.master_at();
        // A replica that a sentinel was not told of yet is no candidate, for a moment.
        eventually("a sentinel begins", SOON, || {
            self.sentinels[0].raw().command(&["SENTINEL", "FAILOVER", Self::MASTER]).is_ok()
        });
        self.until_replaced(before);
    }

    /// From now on no replica copies anything, until [`lose_master`](Self::lose_master).
    #[track_caller]
    pub fn lag(&self) {
        let master = self.master_at();
        self.servers.iter().enumerate().filter(|(at, _)| *at != master).for_each(|(_, replica)| replica.pause());
        let cut = self.servers[master].raw().command(&["CLIENT", "KILL", "TYPE", "replica"]);
        assert_eq!(cut, Value::Int(2), "what is written now is copied by nobody");
    }

    /// Kills the master, and has the replicas go on, which may have lagged. Returns when one of them has taken its place.
    #[track_caller]
    pub fn lose_master(&mut self) {
        let master = self.master_at();
        self.servers[master].kill();
        self.servers.iter().enumerate().filter(|(at, _)| *at != master).for_each(|(_, replica)| replica.resume());
        self.until_replaced(master);
    }

    /// Returns when all sentinels that run name another server than the one at `before`.
    #[track_caller]
    pub fn until_replaced(&self, before: usize) {
        let port = self.servers[before].port();
        eventually("there is a new master", SOON, || {
            let named = self.sentinels.iter().filter_map(named).collect::<Vec<_>>();
            !named.is_empty() && named.iter().all(|other| *other != port && *other == named[0])
        });
    }

    /// Returns when the sentinels could replace the master if they had to.
    #[track_caller]
    pub fn until_ready(&self) {
        eventually("the sentinels know each other and the replicas", SOON, || {
            self.sentinels.iter().all(|sentinel| {
                let mut raw = sentinel.raw();
                let Value::List(fields) = raw.command(&["SENTINEL", "MASTER", Self::MASTER]) else { return false };
                let words = fields.iter().filter_map(Value::text).collect::<Vec<_>>();
                let is = |name: &str, value| words.windows(2).any(|pair| pair == [name, value]);
                is("num-slaves", "2") && is("num-other-sentinels", "2") && is("flags", "master")
            })
        });
    }
}

/// The port of the master that a sentinel names; `None` if it does not run.
fn named(sentinel: &RedisServer) -> Option<u16> {
    let mut raw = sentinel.try_raw()?;
    match raw.try_command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Sentinels::MASTER]).ok()? {
        Value::List(address) => address.last()?.text()?.parse().ok(),
        _ => None,
    }
}
