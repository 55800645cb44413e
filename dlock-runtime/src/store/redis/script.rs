//! The Lua scripts, each loaded and hashed once.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, RedisError, ServerErrorKind};

use super::classify::{self, Fault};

/// Puts a script together from its chapters. The most frequent case is the first chapter and runs through no other.
macro_rules! script {
    ($($chapter:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $chapter, ".lua"))),+)))
    };
}

pub(super) static ACQUIRE: LazyLock<Script> = script!("mint", "acquire", "mend", "hand_over", "wait");
pub(super) static RENEW: LazyLock<Script> = script!("mint", "renew", "reserve");
pub(super) static RELEASE: LazyLock<Script> = script!("release", "mend", "hand_over", "give");
pub(super) static INSPECT: LazyLock<Script> = script!("inspect");

pub(super) struct Script {
    text: &'static str,
    sha1: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, sha1: redis::Script::new(text).get_hash().to_owned() }
    }

    /// The command that runs it: by its hash, or by its text if the server does not know the hash (yet, or after `SCRIPT
    /// FLUSH`).
    pub(super) fn command(&self, by: By, keys: &[&str], args: &[Arg<'_>]) -> Cmd {
        let (verb, what) = match by {
            By::Hash => ("EVALSHA", &*self.sha1),
            By::Text => ("EVAL", self.text),
        };
        let mut command = Cmd::with_capacity(3 + keys.len() + args.len(), 512);
        command.arg(verb).arg(what).arg(keys.len()).arg(keys);
        for arg in args {
            match arg {
                Arg::Text(text) => command.arg(*text),
                Arg::Number(number) => command.arg(*number),
                Arg::Millis(span) => command.arg(millis(*span)),
            };
        }
        command
    }
}

/// How the server is told which script to run.
#[derive(Clone, Copy)]
pub(super) enum By {
    Hash,
    Text,
}

/// An argument of a script.
pub(super) enum Arg<'a> {
    Text(&'a str),
    Number(u64),
    Millis(Duration),
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Whether the server, its user or a proxy does not have `EVALSHA` at all. `EVAL` may do all the same.
pub(super) fn takes_no_hash(error: &RedisError) -> bool {
    let of_set_up = matches!(classify::classify(error), Fault::Misconfigured | Fault::Indeterminate);
    of_set_up && error.detail().is_some_and(|detail| detail.to_ascii_lowercase().contains("evalsha"))
}

/// Whether the server does not know the script yet, or forgot it.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}
