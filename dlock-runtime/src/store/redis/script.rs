//! The Lua scripts, each loaded and hashed once.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, RedisError, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection};

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

    /// Runs it by its hash, and by its text if the server does not know the hash (yet, or after `SCRIPT FLUSH`).
    pub(super) async fn run(
        &self,
        connection: &mut MultiplexedConnection,
        keys: &[&str],
        args: &[Arg<'_>],
    ) -> RedisResult<Value> {
        match self.command(keys, args).query_async(connection).await {
            Err(error) if is_unknown_script(&error) => {
                self.call("EVAL", self.text, keys, args).query_async(connection).await
            }
            answer => answer,
        }
    }

    /// The command that runs it by its hash.
    pub(super) fn command(&self, keys: &[&str], args: &[Arg<'_>]) -> Cmd {
        self.call("EVALSHA", &self.sha1, keys, args)
    }

    /// The command that makes the server know the hash.
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.text);
        command
    }

    fn call(&self, verb: &str, what: &str, keys: &[&str], args: &[Arg<'_>]) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(what).arg(keys.len()).arg(keys);
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
