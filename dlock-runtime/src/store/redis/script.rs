//! The Lua scripts, each loaded and hashed once.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, RedisError, RedisResult, ServerErrorKind, Value, aio::MultiplexedConnection};

pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/acquire.lua")));
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/renew.lua")));
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/release.lua")));
pub(super) static INSPECT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../scripts/inspect.lua")));

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
                Arg::Millis(span) => command.arg(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            };
        }
        command
    }
}

/// An argument of a script.
pub(super) enum Arg<'a> {
    Text(&'a str),
    Millis(Duration),
}

pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}
