//! Who holds a lock, as an operator sees it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Who holds a lock, since when, and for how long yet.
#[derive(Clone, Debug)]
pub struct Holder(Arc<Facts>);

#[derive(Debug)]
pub(crate) struct Facts {
    /// Known if the holder is a dlock runtime.
    pub(crate) record: Option<Record>,
    /// `None` if the key has no TTL.
    pub(crate) remaining: Option<Duration>,
    pub(crate) waiters: u64,
}

/// What a dlock holder says of itself. In Redis it is the value of the lock, `token fence since-in-µs (who)`; the fence is the
/// last of those that were reserved for the hold. After `since` and a colon may stand since when the lock has been handed on
/// without being free, and at the end a mark, `+`, if somebody waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) fence: u64,
    pub(crate) since: SystemTime,
    pub(crate) who: String,
}

impl Record {
    /// Reads the value of a lock. `None` if a client of another kind wrote it.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.splitn(4, ' ');
        let _token = parts.next()?.split_once('-')?;
        let fence = parts.next()?.parse().ok()?;
        let since = parts.next()?.split(':').next()?.parse().ok()?;
        let who = parts.next()?;
        let who = who.strip_suffix('+').unwrap_or(who).strip_prefix('(')?.strip_suffix(')')?;
        let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(since))?;
        Some(Self { fence, since, who: who.to_owned() })
    }
}

impl Holder {
    pub(crate) fn new(record: Option<Record>, remaining: Option<Duration>, waiters: u64) -> Self {
        Self(Arc::new(Facts { record, remaining, waiters }))
    }

    /// The same with `more` who wait.
    pub(crate) fn and_waiters(self, more: usize) -> Self {
        let Facts { record, remaining, waiters } = &*self.0;
        if more == 0 { self } else { Self::new(record.clone(), *remaining, waiters + more as u64) }
    }

    /// Host, process id, and the function and template for which the lock was taken: `web-7 pid 4242 deduct stock:<id>`. A
    /// holder that is not a dlock runtime is called `a client that is not dlock`.
    pub fn owner(&self) -> &str {
        self.0.record.as_ref().map_or("a client that is not dlock", |record| &record.who)
    }

    /// Whether the holder is not a dlock runtime. Then only its key and its TTL are known.
    pub fn is_foreign(&self) -> bool {
        self.0.record.is_none()
    }

    /// The last fence that is reserved for the holder: that of its hold, or a higher one if tasks of the holder take turns
    /// on the lock. `None` for a foreign client, and for a hold that needs no fence.
    pub fn fence(&self) -> Option<u64> {
        self.0.record.as_ref().map(|record| record.fence).filter(|&fence| fence > 0)
    }

    /// When the lock was acquired, by the store's clock. `None` for a foreign client.
    pub fn since(&self) -> Option<SystemTime> {
        self.0.record.as_ref().map(|record| record.since)
    }

    /// How long the lock still lasts if it is not renewed. `None` if it never expires, which only a foreign client's does.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining
    }

    /// How many wait for the lock: runtimes that have asked the store for it within the last second, and tasks that wait
    /// in the runtime that was asked. All tasks of another runtime count as one.
    pub fn waiters(&self) -> u64 {
        self.0.waiters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_lock_says_who_holds_it() {
        let value = "abc-1 1700000000000001 1700000000000000 (web-7 pid 1 deduct(+) stock:<id>)";
        let record = Record::parse(value).expect("ours");
        assert_eq!(record.fence, 1_700_000_000_000_001);
        assert_eq!(record.who, "web-7 pid 1 deduct(+) stock:<id>");
        let handed = value.replace("000 (", "000:1699999999000000 (");
        assert_eq!(Record::parse(&handed), Some(record.clone()));
        assert_eq!(Record::parse(&(value.to_owned() + "+")), Some(record), "the mark says that somebody waits");
        for foreign in ["", "abc-1", "garbage", "a 1 2 (b)", "abc-1 x 2 (b)", "abc-1 1 2 b", &value[..value.len() - 1]]
        {
            assert_eq!(Record::parse(foreign), None, "{foreign}");
        }
    }
}
