//! The Lua scripts, each hashed once.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, RedisError, ServerErrorKind};

use super::{
    classify::{self, Fault},
    epoch, scripts,
};

pub(super) static ACQUIRE: Script = Script::new(scripts::ACQUIRE);
pub(super) static RENEW: Script = Script::new(scripts::RENEW);
pub(super) static RELEASE: Script = Script::new(scripts::RELEASE);
pub(super) static UNLOCK: Script = Script::new(scripts::UNLOCK);
pub(super) static ACQUIRE_MANY: Script = Script::new(scripts::ACQUIRE_MANY);
pub(super) static RELEASE_MANY: Script = Script::new(scripts::RELEASE_MANY);
pub(super) static ACQUIRE_MANY_SLOTS: Script = Script::new(scripts::ACQUIRE_MANY_SLOTS);
pub(super) static RELEASE_MANY_SLOTS: Script = Script::new(scripts::RELEASE_MANY_SLOTS);
pub(super) static INSPECT: Script = Script::new(scripts::INSPECT);

/// The same for a server with a failover guard.
pub(super) mod guarded {
    use super::{Script, scripts};

    pub(in super::super) static ACQUIRE: Script = Script::new(scripts::guarded::ACQUIRE);
    pub(in super::super) static RENEW: Script = Script::new(scripts::guarded::RENEW);
    pub(in super::super) static RELEASE: Script = Script::new(scripts::guarded::RELEASE);
    pub(in super::super) static ACQUIRE_MANY: Script = Script::new(scripts::guarded::ACQUIRE_MANY);
    pub(in super::super) static ACQUIRE_MANY_SLOTS: Script = Script::new(scripts::guarded::ACQUIRE_MANY_SLOTS);
    pub(in super::super) static OPENS: Script = Script::new(scripts::guarded::OPENS);
}

pub(super) struct Script {
    text: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    const fn new(text: &'static str) -> Self {
        Self { text, sha1: OnceLock::new() }
    }

    fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| redis::Script::new(self.text).get_hash().to_owned())
    }

    /// The command that runs it: by its hash, or by its text where the server wants that ([`Form`]).
    pub(super) fn command(&self, by: By, keys: &[&str], args: &[Arg<'_>]) -> Cmd {
        let mut command = self.begin(by, keys.len(), keys.len() + args.len() + epoch::ARGS, 512);
        command.arg(keys);
        for arg in args {
            match arg {
                Arg::Text(text) => command.arg(*text),
                Arg::Number(number) => command.arg(*number),
                Arg::Millis(span) => command.arg(millis(*span)),
            };
        }
        command
    }

    /// The beginning of that command. `rest` is how many words follow, and `bytes` how long it may become.
    pub(super) fn begin(&self, by: By, keys: usize, rest: usize, bytes: usize) -> Cmd {
        let (verb, what) = match by {
            By::Hash => ("EVALSHA", self.sha1()),
            By::Text => ("EVAL", self.text),
        };
        let mut command = Cmd::with_capacity(3 + rest, what.len() + bytes);
        command.arg(verb).arg(what).arg(keys);
        command
    }
}

/// How a command names its script.
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

/// A command that compares a value and deletes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Valkey has it since 9.0.
    DelIfEq = 1,
    /// Redis has it since 8.4.
    DelEx,
}

/// In which form a server takes scripts: by their hash, until it says that it takes none. And the command that does without one.
#[derive(Default)]
pub(super) struct Form {
    by_text: AtomicBool,
    /// The number of a [`Comparison`]; 0 if there is none.
    comparison: AtomicU8,
}

impl Form {
    /// The command by which this server compares and deletes.
    pub(super) fn comparison(&self) -> Option<Comparison> {
        let number = self.comparison.load(Ordering::Relaxed);
        [Comparison::DelIfEq, Comparison::DelEx].into_iter().find(|known| *known as u8 == number)
    }

    pub(super) fn set_comparison(&self, comparison: Option<Comparison>) {
        self.comparison.store(comparison.map_or(0, |known| known as u8), Ordering::Relaxed);
    }

    pub(super) fn takes_hashes(&self) -> bool {
        !self.by_text.load(Ordering::Relaxed)
    }

    /// Whether `error` says that a script must be sent by its text: the server does not know its hash (yet, or after `SCRIPT
    /// FLUSH`), or takes no hashes.
    pub(super) fn wants_text(&self, error: &RedisError) -> bool {
        error.kind() == ServerErrorKind::NoScript.into() || self.refuses_hashes(error)
    }

    /// Whether `error` says that the server, its user or a proxy does not have `EVALSHA` at all. `EVAL` may do all the same, so
    /// that is remembered.
    pub(super) fn refuses_hashes(&self, error: &RedisError) -> bool {
        let of_set_up = matches!(classify::classify(error), Fault::Misconfigured | Fault::Indeterminate);
        let refuses = of_set_up && error.detail().is_some_and(|said| said.to_ascii_lowercase().contains("evalsha"));
        if refuses {
            self.by_text.store(true, Ordering::Relaxed);
        }
        refuses
    }
}
