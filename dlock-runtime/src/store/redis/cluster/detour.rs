//! What an error says about the way to a lock: a pure rule.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::{
    super::{
        classify::{self, Fault},
        connections::redis_error,
        route::Gone,
    },
    map::Address,
};
use crate::store::StoreError;

/// Where a request goes that was not carried out where it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// The lock is at another server, and stays there.
    Moved(Address),
    /// This once: the slot is on its way there.
    Ask(Address),
    /// Scripts with several keys have to wait, as the slot is on its way.
    TryAgain,
    /// This server does not take it, or cannot be reached; another may have its place by now.
    Elsewhere,
    /// The way may be another one the next time.
    Doubtful,
    /// It is not the way that is wrong.
    None,
}

impl Detour {
    pub(super) fn of(error: &StoreError) -> Self {
        match redis_error(error) {
            Some(error) => Self::of_reply(error),
            None if error.cause.is::<Gone>() => Self::Elsewhere,
            // Nobody answered.
            None => Self::Doubtful,
        }
    }

    fn of_reply(error: &RedisError) -> Self {
        let address = || error.redirect_node().and_then(|(address, _)| Address::read(address));
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => address().map_or(Self::Doubtful, Self::Moved),
            ErrorKind::Server(ServerErrorKind::Ask) => address().map_or(Self::Doubtful, Self::Ask),
            ErrorKind::Server(ServerErrorKind::TryAgain) => Self::TryAgain,
            ErrorKind::Server(ServerErrorKind::ClusterDown) => Self::Doubtful,
            _ if error.detail().is_some_and(|said| said.contains("non local key")) => Self::Doubtful,
            _ => match classify::classify(error) {
                Fault::NotMaster | Fault::ConnectionBroken => Self::Elsewhere,
                _ => Self::None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::make_extension_error;

    use super::*;

    fn of(line: &str) -> Detour {
        let error = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).and_then(redis::Value::extract_error);
        Detour::of_reply(&error.expect_err("an error"))
    }

    #[test]
    fn errors_say_where_to_go() {
        let at = |host: &str, port| Address { host: Some(host.to_owned()), port };
        for (line, detour) in [
            ("MOVED 3999 127.0.0.1:6381", Detour::Moved(at("127.0.0.1", 6381))),
            ("ASK 3999 ::1:6381", Detour::Ask(at("::1", 6381))),
            ("MOVED 3999 ?:6381", Detour::Doubtful),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Detour::TryAgain),
            ("CLUSTERDOWN The cluster is down", Detour::Doubtful),
            ("MASTERDOWN Link with MASTER is down", Detour::Elsewhere),
            ("READONLY You can't write against a read only replica.", Detour::Elsewhere),
            ("ERR Script attempted to access a non local key in a cluster node script: x", Detour::Doubtful),
            ("LOADING Redis is loading the dataset in memory", Detour::None),
            ("OOM command not allowed", Detour::None),
        ] {
            assert_eq!(of(line), detour, "{line}");
        }
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(Detour::of_reply(&broken), Detour::Elsewhere);
        let other = make_extension_error("SOMETHING".to_owned(), None);
        assert_eq!(Detour::of_reply(&other), Detour::None);
    }
}
