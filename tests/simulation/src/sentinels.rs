//! Sentinels: they say where the master is, each when it has heard of it, and a master that was replaced stays one for a while.

use crate::{
    plan::{MILLISECOND, SECOND, Time},
    redis::{Redis, Reply},
    server::Servers,
    sim::Sim,
    trace::Lane,
    weakness::Weakness,
};

/// By what name they know the master, and where it listens.
const MASTER: &str = "mymaster";
const PORT: &str = "6379";

/// A master that was replaced learns of that within this time, as after a planned failover (route/sentinel/mod.rs).
const LONGEST_PAST: Time = 10 * SECOND;

/// Where a sentinel believes the master to be, and of which age that is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Belief {
    master: usize,
    epoch: u64,
}

impl Servers {
    /// Sentinels come behind the servers with data.
    pub(crate) fn first_sentinel(&self) -> usize {
        self.nodes.len() - self.beliefs.len()
    }

    /// What a sentinel replies; `None` if the node is none.
    pub(crate) fn sentinel_reply(&self, node: usize, words: &[Vec<u8>]) -> Option<Reply> {
        let Belief { master, epoch } = self.beliefs[node.checked_sub(self.first_sentinel())?];
        let list = |texts: &[&str]| Reply::List(texts.iter().map(|text| Reply::text(*text)).collect());
        Some(match words.get(1).map(|word| &**word) {
            Some(b"GET-MASTER-ADDR-BY-NAME") => list(&[&format!("server{master}"), PORT]),
            Some(b"MASTER") => list(&["name", MASTER, "config-epoch", &epoch.to_string()]),
            _ => Reply::ok(),
        })
    }
}

impl Sim {
    /// A replica has been made the master: sentinels hear of that one after the other, the one that did it first. The master that was
    /// replaced may not hear of it yet.
    pub(crate) fn master_moved(&self, new: usize, stays: Option<usize>) {
        let (count, epoch) = self.with_servers(|servers| {
            let newest = servers.beliefs.iter().map(|belief| belief.epoch).max().unwrap_or(0);
            (servers.beliefs.len(), newest + 1)
        });
        if count == 0 {
            return;
        }
        let first = self.below(count as u64) as usize;
        for sentinel in 0..count {
            let late = self.spread(300 * MILLISECOND);
            let at = self.now() + if sentinel == first { 1 } else { late };
            self.push(at, move |sim| sim.sentinel_hears(sentinel, Belief { master: new, epoch }));
        }
        if let Some(old) = stays {
            self.push(self.now() + self.below(LONGEST_PAST), move |sim| sim.is_demoted(old));
        }
    }

    /// A sentinel hears where the master is.
    fn sentinel_hears(&self, sentinel: usize, belief: Belief) {
        let (node, before) =
            self.with_servers(|servers| (servers.first_sentinel() + sentinel, servers.beliefs[sentinel]));
        if before.epoch > belief.epoch {
            return;
        }
        self.with_servers(|servers| servers.beliefs[sentinel] = belief);
        let message = format!("{MASTER} server{} {PORT} server{} {PORT}", before.master, belief.master);
        self.note(self.now(), Lane::Server(node), None, || message.clone());
        if self.weakness != Some(Weakness::SentinelsKeepQuiet) {
            self.spread_message(node, b"+switch-master", message.as_bytes());
        }
    }

    /// A master that was replaced copies its successor from now on, if it still takes itself for one.
    pub(crate) fn is_demoted(&self, node: usize) {
        self.with_servers(|servers| {
            if node != servers.master && !servers.nodes[node].is_replica {
                let Redis { keys, life, .. } = servers.master();
                let (keys, life) = (keys.clone(), *life);
                let server = &mut servers.nodes[node];
                (server.is_replica, server.keys, server.life, server.before) = (true, keys, life, 0);
            }
        });
    }
}
