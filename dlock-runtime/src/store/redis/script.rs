//! The Lua scripts, each loaded and hashed once.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, RedisError, ServerErrorKind};

/// Puts a script together from its chapters. What is asked for most often comes first, so that it pays for no more.
macro_rules! script {
    ($($chapter:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("../scripts/", $chapter, ".lua"))),+)))
    };
}

pub(super) static ACQUIRE: LazyLock<Script> = script!("mint", "acquire", "hand_over", "wait");
pub(super) static RENEW: LazyLock<Script> = script!("mint", "renew", "reserve");
pub(super) static RELEASE: LazyLock<Script> = script!("release", "hand_over", "give");
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

    /// The command that makes the server know the hash.
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.text);
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

pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}
