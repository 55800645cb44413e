//! What `INFO` says about a server, and what of it endangers locks.

use super::super::script::Comparison;
use crate::observe;

/// The parts of `INFO` that matter here.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    mode: String,
    pub(super) version: String,
    /// That of Valkey; empty if it is none.
    valkey: String,
    role: String,
    policy: String,
}

impl Server {
    pub(super) fn of(info: &str) -> Self {
        let field = |name: &str| {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().trim().to_owned()
        };
        let either = |name: &str, other: &str| Some(field(name)).filter(|it| !it.is_empty()).unwrap_or(field(other));
        Self {
            mode: either("redis_mode", "server_mode"),
            version: field("redis_version"),
            valkey: field("valkey_version"),
            role: field("role"),
            policy: field("maxmemory_policy"),
        }
    }

    pub(super) fn is_sentinel(&self) -> bool {
        self.mode == "sentinel"
    }

    pub(super) fn is_in_cluster(&self) -> bool {
        self.mode == "cluster"
    }

    /// Whether it may be a node of a cluster, which has some of the keys only.
    pub(super) fn may_be_a_node(&self) -> bool {
        !matches!(&*self.mode, "standalone" | "sentinel")
    }

    pub(super) fn is_older_than(&self, version: (u32, u32)) -> bool {
        number(&self.version).is_some_and(|known| known < version)
    }

    /// The command by which it compares and deletes.
    pub(super) fn comparison(&self) -> Option<Comparison> {
        match (number(&self.version), number(&self.valkey)) {
            (_, Some(valkey)) => (valkey >= (9, 0)).then_some(Comparison::DelIfEq),
            (redis, None) => redis.is_some_and(|redis| redis >= (8, 4)).then_some(Comparison::DelEx),
        }
    }

    /// Warns of settings that endanger locks.
    pub(super) fn warn(&self) {
        if !self.policy.is_empty() && self.policy != "noeviction" {
            let policy = self.policy.clone();
            observe::report(move || {
                tracing::warn!(
                    policy,
                    "this Redis may evict lock keys when its memory is full; use maxmemory-policy noeviction"
                );
            });
        }
        if self.role == "slave" {
            observe::report(|| {
                tracing::warn!("this Redis is a replica, and loses its locks whenever it copies its master");
            });
        }
    }
}

/// Major and minor number of a version.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    Some((parts.next()?, parts.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_as_redis_and_valkey_give_it() {
        let redis =
            Server::of("# Server\r\nredis_version:6.0.16\r\nredis_mode:cluster\r\n# Replication\r\nrole:slave\r\n");
        assert!(redis.is_older_than((6, 2)) && redis.may_be_a_node() && redis.is_in_cluster() && redis.role == "slave");
        let valkey = Server::of("redis_version:7.2.4\r\nserver_name:valkey\r\nserver_mode:standalone\r\n");
        assert!(
            !valkey.is_older_than((7, 0))
                && valkey.is_older_than((7, 3))
                && !valkey.may_be_a_node()
                && !valkey.is_in_cluster()
                && !valkey.is_sentinel()
        );
        for (info, comparison) in [
            ("redis_version:8.2.3", None),
            ("redis_version:8.4.0", Some(Comparison::DelEx)),
            ("redis_version:7.2.4\r\nvalkey_version:8.1.0", None),
            ("redis_version:7.2.4\r\nvalkey_version:9.0.1", Some(Comparison::DelIfEq)),
            ("", None),
        ] {
            assert_eq!(Server::of(info).comparison(), comparison, "{info}");
        }
        assert!(Server::of("").may_be_a_node() && !Server::of("").is_older_than((6, 2)), "nothing is known");
    }
}
