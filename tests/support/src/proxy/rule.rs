//! Which requests and messages a fault strikes, and what happens to them.

use std::time::Duration;

/// What happens to a request that a rule strikes.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It runs at once; its reply (and what comes after it on this connection) is late by this much.
    Delay(Duration),
    /// It runs; its reply never comes. TCP loses nothing in the middle, so the connection stays mute from then on.
    Swallow,
    /// It stays in the network until [`Proxy::heal`](crate::Proxy::heal); then it runs, even if its sender has gone.
    Hold,
    /// The connection breaks; it does not run.
    CutBefore,
    /// It runs; the connection breaks in the moment of its reply.
    CutAfter,
    /// It does not run; this error is the reply, such as `LOADING Redis is loading the dataset in memory`.
    Refuse(String),
    /// It does not run; this is the reply, as it is on the wire.
    Answer(String),
}

/// Which requests a fault strikes.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) fault: Fault,
    command: Option<String>,
    matching: Option<String>,
    skip: u64,
    times: u64,
    struck: u64,
}

impl Rule {
    /// Strikes every request until healed.
    pub fn new(fault: Fault) -> Self {
        Self { fault, command: None, matching: None, skip: 0, times: u64::MAX, struck: 0 }
    }

    /// Strikes only requests one of whose words contains `text`, such as a key or a command's name in capitals.
    #[must_use]
    pub fn matching(mut self, text: &str) -> Self {
        self.matching = Some(text.to_owned());
        self
    }

    /// Strikes only requests of the command `name`, in capitals.
    #[must_use]
    pub fn command(mut self, name: &str) -> Self {
        self.command = Some(name.to_owned());
        self
    }

    /// Lets the first `count` of them pass.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Strikes only `count` of them.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Whether this request is struck; counts it if it is one of those meant.
    pub(super) fn strikes(&mut self, words: &[&str]) -> bool {
        let meant = self.matching.as_deref().is_none_or(|text| words.iter().any(|word| word.contains(text)));
        let meant = meant && self.command.as_deref().is_none_or(|name| words.first() == Some(&name));
        if !meant || self.struck >= self.times {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.struck += 1;
        true
    }
}
