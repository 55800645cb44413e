//! The Lua scripts, each loaded and hashed once.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, RedisError, ServerErrorKind};

use super::{
    classify::{self, Fault},
    epoch,
};

/// Puts a script together from its chapters. The most frequent case is the first chapter and runs through no other.
macro_rules! script {
    ($($chapter:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $chapter, ".lua"))),+)))
    };
}

pub(super) static ACQUIRE: LazyLock<Script> =
    script!("mint", "acquire", "take", "mend", "channel", "hand_over", "wait");
pub(super) static RENEW: LazyLock<Script> = script!("mint", "renew", "reserve");
pub(super) static RELEASE: LazyLock<Script> = script!("release", "mend", "mint", "channel", "hand_over", "give");
pub(super) static UNLOCK: LazyLock<Script> = script!("unlock");
pub(super) static ACQUIRE_MANY: LazyLock<Script> = script!("mint", "acquire_many");
pub(super) static RELEASE_MANY: LazyLock<Script> = script!("release_many");
pub(super) static INSPECT: LazyLock<Script> = script!("inspect");

/// The same for a server with a failover guard: those that grant, and those that must not hand over while it is closed.
pub(super) mod guarded {
    use super::{LazyLock, Script};

    pub(in super::super) static ACQUIRE: LazyLock<Script> = script!(
        "mint",
        "guard/closed",
        "guard/look",
        "guard/run",
        "acquire",
        "guard/shut",
        "take",
        "guard/seat",
        "mend",
        "channel",
        "hand_over",
        "wait",
        "guard/answer"
    );
    pub(in super::super) static RENEW: LazyLock<Script> =
        script!("mint", "guard/closed", "guard/run", "renew", "reserve", "guard/come_back");
    pub(in super::super) static RELEASE: LazyLock<Script> = script!(
        "guard/closed",
        "guard/run",
        "release",
        "guard/keep",
        "mend",
        "mint",
        "channel",
        "hand_over",
        "give",
        "guard/gone"
    );
    pub(in super::super) static ACQUIRE_MANY: LazyLock<Script> =
        script!("mint", "guard/closed", "guard/look", "guard/run", "guard/none", "acquire_many", "guard/answers");
    pub(in super::super) static OPENS: LazyLock<Script> = script!("guard/closed", "guard/opens");
}

pub(super) struct Script {
    text: &'static str,
    sha1: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, sha1: redis::Script::new(text).get_hash().to_owned() }
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
            By::Hash => ("EVALSHA", &*self.sha1),
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

/// In which form a server takes scripts: by their hash, until it says that it takes none.
#[derive(Default)]
pub(super) struct Form {
    by_text: AtomicBool,
}

impl Form {
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
