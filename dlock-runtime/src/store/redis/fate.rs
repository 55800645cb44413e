//! What an error of the redis crate says about the request that it answers.
//!
//! The redis crate knows some error codes by name, maps others to "extension" and some to nothing at all, so the
//! code on the wire decides, not the kind.

use redis::RedisError;

use super::super::{Fate, StoreError};

/// What became of a request that was answered with `error`.
pub(super) fn classify(error: RedisError) -> StoreError {
    StoreError::new(fate(&error), error)
}

/// The same for an error in making a connection: no request was sent.
pub(super) fn of_connecting(error: RedisError) -> StoreError {
    let fate = match fate(&error) {
        Fate::Unknown => Fate::NotYet,
        known => known,
    };
    StoreError::new(fate, error)
}

/// Whether the connection that gave this error should not be used again: it is broken, it may never answer, or it
/// leads to a server that is not the master any more.
pub(super) fn spoils_connection(error: &RedisError) -> bool {
    error.code() == Some("READONLY") || fate(error) == Fate::Unknown
}

fn fate(error: &RedisError) -> Fate {
    match error.code() {
        Some(code) => by_code(code, error.detail().unwrap_or_default()),
        None => match error.kind() {
            redis::ErrorKind::InvalidClientConfig | redis::ErrorKind::AuthenticationFailed => Fate::Refused,
            _ => Fate::Unknown,
        },
    }
}

fn by_code(code: &str, detail: &str) -> Fate {
    match code {
        "MOVED" | "ASK" | "TRYAGAIN" | "LOADING" | "BUSY" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" | "NOSCRIPT" => {
            Fate::NotYet
        }
        "OOM" | "NOREPLICAS" | "MISCONF" => Fate::Unfit,
        // A script wraps the errors of its commands; Redis before 7.0 hides their code in the text.
        "ERR" if detail.contains("OOM ") || detail.contains("NOREPLICAS ") || detail.contains("MISCONF ") => {
            Fate::Unfit
        }
        "ERR" if detail.contains("max number of clients") => Fate::NotYet,
        _ => Fate::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate_of(code: &str, detail: &str) -> Fate {
        fate(&redis::make_extension_error(code.to_owned(), Some(detail.to_owned())))
    }

    #[test]
    fn every_row_of_the_outcome_table_has_its_fate() {
        for code in ["MOVED", "ASK", "TRYAGAIN", "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "READONLY"] {
            assert_eq!(fate_of(code, ""), Fate::NotYet, "{code}");
        }
        for code in ["OOM", "NOREPLICAS", "MISCONF"] {
            assert_eq!(fate_of(code, ""), Fate::Unfit, "{code}");
        }
        for code in ["NOPERM", "WRONGTYPE", "CROSSSLOT", "NOAUTH", "WRONGPASS"] {
            assert_eq!(fate_of(code, ""), Fate::Refused, "{code}");
        }
        let broken = || RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(fate(&broken()), Fate::Unknown);
        assert_eq!(of_connecting(broken()).fate, Fate::NotYet, "what was never sent did not happen");
    }
}
