//! The failover guard: what a connection knows of its server's life, and what guarded scripts are told (`scripts/guard/closed.lua`).
//!
//! A guarded script grants only in a life of the server that it knows to be open. To look at that is dear, so the caller says what it
//! knows: the epoch, a text that the server keeps under a key. A new master may have a copy of that, and would be taken for the server
//! before by whoever brought the text along.
//!
//! **Invariant.** What is known of an epoch was looked at over the connection that it is used on, and less than 100 ms before. The text
//! has the time at which the server looked, so that it says nothing to a request that was long under way.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use redis::{Cmd, Value};

use super::script;
use crate::{key::namespace::EPOCH, protocol::token::Tag, system::lock, types::boot_time::BootTime};

/// For how long what was found counts.
const COUNTS: Duration = Duration::from_millis(100);

/// After this time one request looks again, so that the others need not.
const LOOK_AFTER: Duration = Duration::from_millis(60);

/// How many arguments a guarded script has more.
pub(super) const ARGS: usize = 3;

/// Under which key a server keeps it. In a cluster that has the tag of the server's shard, which changes now and then.
pub(super) struct EpochKey(Mutex<Arc<str>>);

impl Default for EpochKey {
    fn default() -> Self {
        Self(Mutex::new(EPOCH.into()))
    }
}

impl EpochKey {
    pub(super) fn set_tag(&self, tag: Tag) {
        let key = format!("{EPOCH}:{tag}");
        let mut known = lock(&self.0);
        if **known != *key {
            *known = key.into();
        }
    }

    fn text(&self) -> Arc<str> {
        Arc::clone(&lock(&self.0))
    }
}

/// What one connection knows of its server.
pub(super) struct Epoch {
    key: Arc<EpochKey>,
    quarantine: Duration,
    found: Mutex<Option<Found>>,
}

struct Found {
    key: Arc<str>,
    /// The epoch, and when the server looked.
    text: Arc<str>,
    /// Before it was looked at.
    at: BootTime,
    look_at: BootTime,
}

/// What a guarded script is told.
pub(super) struct Told {
    key: Arc<str>,
    quarantine: Duration,
    known: Option<Arc<str>>,
    /// Before it is sent.
    at: BootTime,
}

impl Epoch {
    pub(super) fn new(quarantine: Duration, key: Arc<EpochKey>) -> Self {
        Self { key, quarantine, found: Mutex::default() }
    }

    /// What a script is told that is sent now.
    pub(super) fn told(&self) -> Told {
        let now = BootTime::now();
        let key = self.key.text();
        let known = lock(&self.found).as_mut().filter(|found| found.key == key).and_then(|found| found.at(now));
        Told { key, quarantine: self.quarantine, known, at: now }
    }

    /// Takes the epoch off the end of a reply to a script that was told so, if it is there: nothing else that is a text stands there.
    pub(super) fn learn(&self, told: &Told, reply: &mut Value) {
        let Value::Array(parts) = reply else { return };
        if let Some(Value::BulkString(_)) = parts.last()
            && let Some(Value::BulkString(text)) = parts.pop()
        {
            let text = String::from_utf8_lossy(&text).into();
            let found = Found { key: Arc::clone(&told.key), text, at: told.at, look_at: told.at.after(LOOK_AFTER) };
            let mut known = lock(&self.found);
            if known.as_ref().is_none_or(|known| known.at < found.at) {
                *known = Some(found);
            }
        }
    }
}

impl Found {
    /// What is known at `now`. One of those who ask gets nothing a little before the end, and looks.
    fn at(&mut self, now: BootTime) -> Option<Arc<str>> {
        if now >= self.at.after(COUNTS) {
            return None;
        }
        if now >= self.look_at {
            self.look_at = self.at.after(COUNTS);
            return None;
        }
        Some(Arc::clone(&self.text))
    }
}

impl Told {
    /// Adds it to a command.
    pub(super) fn write(&self, command: &mut Cmd) {
        let known = self.known.as_deref().unwrap_or_default();
        command.arg(&*self.key).arg(script::millis(self.quarantine)).arg(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn reply(parts: &[&str]) -> Value {
        let part = |part: &&str| part.parse().map_or_else(|_| Value::BulkString(part.as_bytes().to_vec()), Value::Int);
        Value::Array(parts.iter().map(part).collect())
    }

    #[test]
    fn what_is_known_counts_for_100_ms_and_one_looks_before_that() {
        let at = BootTime::now();
        let mut found = Found { key: "k".into(), text: "e".into(), at, look_at: at.after(LOOK_AFTER) };
        let mut known = |after: u32| found.at(at.after(MS * after)).is_some();
        assert!(known(0) && known(59));
        assert!(!known(60), "one looks");
        assert!(known(60) && known(99), "the others go on");
        assert!(!known(100) && !known(5_000));
    }

    #[test]
    fn the_epoch_is_taken_off_a_reply_and_the_newest_stays() {
        let key = Arc::<EpochKey>::default();
        let epoch = Epoch::new(Duration::from_secs(11), Arc::clone(&key));
        let (first, second) = (epoch.told(), epoch.told());
        let (mut with, mut without) = (reply(&["1", "7", "0", "run id 0 11000"]), reply(&["1", "7", "0"]));
        epoch.learn(&second, &mut with);
        epoch.learn(&second, &mut without);
        assert_eq!((&with, &without), (&reply(&["1", "7", "0"]), &reply(&["1", "7", "0"])));
        epoch.learn(&first, &mut reply(&["1", "an older one"]));
        assert_eq!(epoch.told().known.as_deref(), Some("run id 0 11000"));
        let other = Epoch::new(Duration::from_secs(11), Arc::clone(&key));
        assert!(other.told().known.is_none(), "it is another connection's");
        key.set_tag(Tag(Some(7)));
        let told = epoch.told();
        assert_eq!((&*told.key, told.known), ("dlock:epoch:{7}", None), "it is another key's");
    }
}
