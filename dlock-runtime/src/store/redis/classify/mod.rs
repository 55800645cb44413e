//! Which class an error of Redis belongs to: what it says about the request that it answers.
//!
//! The redis crate knows some error codes by name, maps others to "extension" and some to nothing at all. So the code on the
//! wire decides, not the kind. The table below has every error in the sources of Redis 6.2, 7.0 and 8 and Valkey 9 that a
//! command of ours can meet. An error that is not in the table may be a proxy's, and may come after the command ran: the
//! request may have been carried out.

use redis::{ErrorKind, RedisError};

use super::super::ErrorClass;

/// What is wrong, as far as an error of the redis crate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The request was not carried out. The trouble passes by itself.
    Transient,
    /// The request was not carried out, because this server is not the master (any more). Another connection may lead to the
    /// master.
    NotMaster,
    /// The request was not carried out, because the server does not let this client in. That is a mistake in the set-up if it
    /// never did. Else somebody is changing the password or the rules, and it passes.
    AccessDenied,
    /// The request was not carried out, and the store will not accept it for a while.
    Rejected,
    /// The request was not carried out and never will be: a mistake in the set-up.
    Misconfigured,
    /// The key holds something that is no lock.
    WrongType,
    /// The connection broke. The request may or may not have been carried out.
    ConnectionBroken,
    /// The request may or may not have been carried out.
    Indeterminate,
}

/// By the code, which is the first word of the error.
const CODES: &[(&str, Fault)] = &[
    ("LOADING", Fault::Transient),
    ("BUSY", Fault::Transient),
    ("TRYAGAIN", Fault::Transient),
    ("CLUSTERDOWN", Fault::Transient),
    ("MOVED", Fault::Transient),
    ("ASK", Fault::Transient),
    ("NOSCRIPT", Fault::Transient),
    ("READONLY", Fault::NotMaster),
    ("MASTERDOWN", Fault::NotMaster),
    ("UNBLOCKED", Fault::NotMaster),
    ("REDIRECT", Fault::NotMaster),
    ("NOAUTH", Fault::AccessDenied),
    ("WRONGPASS", Fault::AccessDenied),
    ("DENIED", Fault::AccessDenied),
    ("OOM", Fault::Rejected),
    ("NOREPLICAS", Fault::Rejected),
    ("MISCONF", Fault::Rejected),
    ("NOPERM", Fault::Misconfigured),
    ("CROSSSLOT", Fault::Misconfigured),
    ("NOPROTO", Fault::Misconfigured),
    ("WRONGTYPE", Fault::WrongType),
];

/// By the text of an `ERR`.
const TEXTS: &[(&str, Fault)] = &[
    ("max number of clients", Fault::Transient),
    // Only a script that wrote nothing yet can be killed.
    ("Script killed by user", Fault::Transient),
    ("script attempted to execute a write command while the cluster is down", Fault::Transient),
    ("script attempted to execute a command while the cluster is down", Fault::Transient),
    ("is busy running a", Fault::Transient),
    ("operation not permitted", Fault::AccessDenied),
    ("without any password configured", Fault::AccessDenied),
    ("invalid password", Fault::AccessDenied),
    // A script of 6.2 says so of its user, one of 7.0 and later of its failure; 6.2 has no code for it.
    ("The user executing the script", Fault::Misconfigured),
    ("ACL failure in script", Fault::Misconfigured),
    ("has no permissions to", Fault::Misconfigured),
    ("unknown command", Fault::Misconfigured),
    ("unknown subcommand", Fault::Misconfigured),
    ("nknown Redis command called from", Fault::Misconfigured),
    ("nknown command called from", Fault::Misconfigured),
    ("command is not allowed from script", Fault::Misconfigured),
    ("wrong number of arguments", Fault::Misconfigured),
    ("Wrong number of args", Fault::Misconfigured),
    ("syntax error", Fault::Misconfigured),
    ("is not an integer or out of range", Fault::Misconfigured),
    ("invalid expire time", Fault::Misconfigured),
    ("Error compiling script", Fault::Misconfigured),
    ("DB index is out of range", Fault::Misconfigured),
    ("invalid DB index", Fault::Misconfigured),
    ("SELECT is not allowed in cluster mode", Fault::Misconfigured),
    // A key of another slot that this server had a moment ago.
    ("attempted to access a non local key in a cluster", Fault::Transient),
    ("attempted to access keys that don't hash to the same slot", Fault::Misconfigured),
];

impl Fault {
    /// What it means for the request. `has_replied` says whether the server has replied to this client properly before.
    pub(super) fn error_class(self, has_replied: bool) -> ErrorClass {
        match self {
            Self::Transient | Self::NotMaster => ErrorClass::Transient,
            Self::AccessDenied if has_replied => ErrorClass::Transient,
            Self::Rejected => ErrorClass::Rejected,
            Self::AccessDenied | Self::Misconfigured => ErrorClass::Permanent,
            Self::WrongType => ErrorClass::WrongType,
            Self::ConnectionBroken | Self::Indeterminate => ErrorClass::Indeterminate,
        }
    }

    /// Whether the connection should not be used again: it is broken, or another one may do better.
    pub(super) fn spoils_connection(self) -> bool {
        matches!(self, Self::ConnectionBroken | Self::NotMaster | Self::AccessDenied)
    }
}

/// What is wrong, given an error that came as the reply to a request.
pub(super) fn classify(error: &RedisError) -> Fault {
    match (error.code(), error.kind()) {
        (Some(code), _) => by_words(code, error.detail().unwrap_or_default()),
        (None, ErrorKind::AuthenticationFailed) => Fault::AccessDenied,
        (None, ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported) => Fault::Misconfigured,
        // A reply of a type that no script of ours gives.
        (None, ErrorKind::UnexpectedReturnType) => Fault::Indeterminate,
        // Also what cannot be parsed: nobody knows where the next reply begins.
        (None, _) => Fault::ConnectionBroken,
    }
}

/// The class of the error if the connection could not be made: the request was not sent.
pub(super) fn connect_error_class(fault: Fault, has_replied: bool) -> ErrorClass {
    match fault.error_class(has_replied) {
        ErrorClass::Indeterminate => ErrorClass::Transient,
        // The server that used to let us in is being set up anew, or this is another server.
        ErrorClass::Permanent if has_replied => ErrorClass::Transient,
        class => class,
    }
}

/// The error without the arguments that a server repeats of a command that it does not know: they hold keys and the owner token.
pub(super) fn without_arguments(error: RedisError) -> RedisError {
    match error.detail().and_then(|detail| detail.split_once(", with args beginning with")) {
        Some((words, _)) => {
            redis::make_extension_error(error.code().unwrap_or("ERR").to_owned(), Some(words.to_owned()))
        }
        None => error,
    }
}

fn by_words(code: &str, detail: &str) -> Fault {
    if let Some(fault) = of_code(code) {
        return fault;
    }
    if code != "ERR" {
        return Fault::Indeterminate;
    }
    // A script wraps the errors of its commands: Redis 6.2 and proxies hide their code in the text.
    let wrapped = detail.split_whitespace().map(|word| word.trim_start_matches('-')).find_map(of_code);
    let by_text = || TEXTS.iter().find(|(text, _)| detail.contains(text)).map(|&(_, fault)| fault);
    wrapped.or_else(by_text).unwrap_or(Fault::Indeterminate)
}

fn of_code(word: &str) -> Option<Fault> {
    CODES.iter().find(|(code, _)| *code == word).map(|&(_, fault)| fault)
}

#[cfg(test)]
mod tests;
