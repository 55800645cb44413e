//! What an error says about the request that it answers.
//!
//! The redis crate knows some error codes by name, maps others to "extension" and some to nothing at all, so the
//! code on the wire decides, not the kind. The table below has every error of the sources of Redis 6.2, 7.0 and 8 and
//! Valkey 9 that a command of ours can meet. An error that it does not have may be a proxy's, and may come after the
//! command ran: it is open what became of the request.

use redis::{ErrorKind, RedisError};

use super::super::Fate;

/// What an error of the server means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It did not happen, and passes by itself.
    Passing,
    /// It did not happen, because this server is not the master (any more): another connection may lead to the one
    /// that is.
    NotTheMaster,
    /// It did not happen, because this client is not, or not any more, let in. A mistake in the set-up if it never was;
    /// else somebody changes the password or the rules, and it passes.
    NotLetIn,
    /// It did not happen, and the store will not accept it for a while.
    ForAWhile,
    /// It did not happen, and never will: a mistake in the set-up.
    SetUp,
    /// The key holds something that is no lock.
    WrongType,
    /// The connection broke. It may or may not have happened.
    Broken,
    /// It may or may not have happened.
    Unknown,
}

/// By the code, which is the first word of the error.
const CODES: &[(&str, Class)] = &[
    ("LOADING", Class::Passing),
    ("BUSY", Class::Passing),
    ("TRYAGAIN", Class::Passing),
    ("CLUSTERDOWN", Class::Passing),
    ("MOVED", Class::Passing),
    ("ASK", Class::Passing),
    ("NOSCRIPT", Class::Passing),
    ("READONLY", Class::NotTheMaster),
    ("MASTERDOWN", Class::NotTheMaster),
    ("UNBLOCKED", Class::NotTheMaster),
    ("REDIRECT", Class::NotTheMaster),
    ("NOAUTH", Class::NotLetIn),
    ("WRONGPASS", Class::NotLetIn),
    ("DENIED", Class::NotLetIn),
    ("OOM", Class::ForAWhile),
    ("NOREPLICAS", Class::ForAWhile),
    ("MISCONF", Class::ForAWhile),
    ("NOPERM", Class::SetUp),
    ("CROSSSLOT", Class::SetUp),
    ("NOPROTO", Class::SetUp),
    ("WRONGTYPE", Class::WrongType),
];

/// By the text of an `ERR`.
const TEXTS: &[(&str, Class)] = &[
    ("max number of clients", Class::Passing),
    // Only a script that wrote nothing yet can be killed.
    ("Script killed by user", Class::Passing),
    ("script attempted to execute a write command while the cluster is down", Class::Passing),
    ("script attempted to execute a command while the cluster is down", Class::Passing),
    ("is busy running a", Class::Passing),
    ("operation not permitted", Class::NotLetIn),
    ("without any password configured", Class::NotLetIn),
    ("invalid password", Class::NotLetIn),
    // A script of 6.2 says so of its user, one of 7.0 and later of its failure; 6.2 has no code for it.
    ("The user executing the script", Class::SetUp),
    ("ACL failure in script", Class::SetUp),
    ("has no permissions to", Class::SetUp),
    ("unknown command", Class::SetUp),
    ("unknown subcommand", Class::SetUp),
    ("nknown Redis command called from", Class::SetUp),
    ("nknown command called from", Class::SetUp),
    ("command is not allowed from script", Class::SetUp),
    ("wrong number of arguments", Class::SetUp),
    ("Wrong number of args", Class::SetUp),
    ("syntax error", Class::SetUp),
    ("is not an integer or out of range", Class::SetUp),
    ("invalid expire time", Class::SetUp),
    ("Error compiling script", Class::SetUp),
    ("DB index is out of range", Class::SetUp),
    ("invalid DB index", Class::SetUp),
    ("SELECT is not allowed in cluster mode", Class::SetUp),
    ("attempted to access a non local key in a cluster", Class::SetUp),
    ("attempted to access keys that don't hash to the same slot", Class::SetUp),
];

impl Class {
    /// What it means for the request. `known` is whether the server has answered this client properly before.
    pub(super) fn fate(self, known: bool) -> Fate {
        match self {
            Self::Passing | Self::NotTheMaster => Fate::NotYet,
            Self::NotLetIn if known => Fate::NotYet,
            Self::ForAWhile => Fate::Unfit,
            Self::NotLetIn | Self::SetUp => Fate::Refused,
            Self::WrongType => Fate::WrongType,
            Self::Broken | Self::Unknown => Fate::Unknown,
        }
    }

    /// Whether the connection should not be used again: it is broken, or another one may do better.
    pub(super) fn spoils_connection(self) -> bool {
        matches!(self, Self::Broken | Self::NotTheMaster | Self::NotLetIn)
    }
}

/// The class of an answer to a request.
pub(super) fn classify(error: &RedisError) -> Class {
    match (error.code(), error.kind()) {
        (Some(code), _) => by_words(code, error.detail().unwrap_or_default()),
        (None, ErrorKind::AuthenticationFailed) => Class::NotLetIn,
        (None, ErrorKind::InvalidClientConfig) => Class::SetUp,
        // An answer of a type that no script of ours gives.
        (None, ErrorKind::UnexpectedReturnType) => Class::Unknown,
        // Also what cannot be parsed: nobody knows where the next answer begins.
        (None, _) => Class::Broken,
    }
}

/// The fate of a request whose connection could not be made: it was not sent.
pub(super) fn of_connecting(class: Class, known: bool) -> Fate {
    match class.fate(known) {
        Fate::Unknown => Fate::NotYet,
        // The server that used to let us in is being set up anew, or this is another one.
        Fate::Refused if known => Fate::NotYet,
        fate => fate,
    }
}

/// The error without the arguments that a server repeats of a command which it does not know: keys, and the owner token.
pub(super) fn without_arguments(error: RedisError) -> RedisError {
    match error.detail().and_then(|detail| detail.split_once(", with args beginning with")) {
        Some((words, _)) => {
            redis::make_extension_error(error.code().unwrap_or("ERR").to_owned(), Some(words.to_owned()))
        }
        None => error,
    }
}

fn by_words(code: &str, detail: &str) -> Class {
    if let Some(class) = of_code(code) {
        return class;
    }
    if code != "ERR" {
        return Class::Unknown;
    }
    // A script wraps the errors of its commands: Redis 6.2 and proxies hide their code in the text.
    let wrapped = detail.split_whitespace().map(|word| word.trim_start_matches('-')).find_map(of_code);
    let by_text = || TEXTS.iter().find(|(text, _)| detail.contains(text)).map(|&(_, class)| class);
    wrapped.or_else(by_text).unwrap_or(Class::Unknown)
}

fn of_code(word: &str) -> Option<Class> {
    CODES.iter().find(|(code, _)| *code == word).map(|&(_, class)| class)
}

#[cfg(test)]
mod tests;
