//! What Redis holds of a lock, as an operator reads it: `token fence since (who)`, and `+` at the end if somebody waits.

use crate::{Cluster, Raw, RedisServer, Sentinels, Value};

/// The key by which the failover guard knows a server's life: "run-id replication-id opens quarantine".
const EPOCH: &str = "dlock:epoch";

impl RedisServer {
    /// Has the failover guard take the server for one that grants locks now, as an operator may do who knows that nothing was lost.
    #[track_caller]
    pub fn open_guard(&self) {
        self.open_guard_at(EPOCH);
    }

    #[track_caller]
    fn open_guard_at(&self, epoch: &str) {
        let mut raw = self.raw();
        let mut field = |section: &str, name: &str| raw.info(&["INFO", section], name).expect("every server has one");
        let (run, history) = (field("server", "run_id"), field("replication", "master_replid"));
        assert!(raw.command(&["SET", epoch, &format!("{run} {history} 0 0")]).is_ok());
    }
}

impl Cluster {
    /// The same for all masters, after a runtime has asked each of them: it says under which key.
    #[track_caller]
    pub fn open_guard(&self) {
        for node in self.masters().into_iter().map(|at| &self.nodes[at]) {
            let keys = node.raw().command(&["KEYS", &format!("{EPOCH}*")]);
            let Value::List(keys) = keys else { panic!("{keys:?}") };
            assert!(!keys.is_empty(), "nobody has asked it yet");
            keys.iter().filter_map(Value::text).for_each(|key| node.open_guard_at(key));
        }
    }
}

impl Sentinels {
    /// The same for the master.
    #[track_caller]
    pub fn open_guard(&self) {
        self.master().open_guard();
    }
}

/// The key that stays when no lock is held.
pub const FENCE_CLOCK: &str = "dlock:fence-clock";

impl Raw {
    /// The owner token of who holds the lock.
    #[track_caller]
    pub fn token(&mut self, lock: &str) -> Option<String> {
        self.word(lock, 0)
    }

    /// The last fence that is reserved for who holds the lock.
    #[track_caller]
    pub fn last_fence(&mut self, lock: &str) -> Option<u64> {
        self.word(lock, 1)?.parse().ok()
    }

    /// Whether the lock has the mark that somebody waits.
    #[track_caller]
    pub fn is_marked(&mut self, lock: &str) -> bool {
        self.command(&["GET", lock]).text().is_some_and(|value| value.ends_with(")+"))
    }

    /// The last fence that the server gave out, whatever the lock.
    #[track_caller]
    pub fn fence_clock(&mut self) -> Option<u64> {
        self.command(&["HGET", FENCE_CLOCK, "last"]).text()?.parse().ok()
    }

    /// All keys but the fence clock and the epoch of the failover guard.
    #[track_caller]
    pub fn keys(&mut self) -> Vec<String> {
        let Value::List(keys) = self.command(&["KEYS", "*"]) else { return Vec::new() };
        let keys = keys.iter().filter_map(|key| key.text());
        keys.filter(|key| !key.starts_with(FENCE_CLOCK) && !key.starts_with(EPOCH)).map(str::to_owned).collect()
    }

    #[track_caller]
    fn word(&mut self, key: &str, place: usize) -> Option<String> {
        self.command(&["GET", key]).text()?.split(' ').nth(place).map(str::to_owned)
    }
}
