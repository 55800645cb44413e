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

/// What a dlock holder leaves beside its lock. In Redis it is the text `fence since-in-µs token who`;
/// the fence is the last of those that were reserved for the hold. After `since` and a colon may stand since when the lock
/// has been handed on without being free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) fence: u64,
    pub(crate) since: SystemTime,
    pub(crate) who: String,
}

impl Record {
    /// When the lock of the record was given away, whoever holds it now, in µs; 0 if it is not a record.
    pub(crate) fn given_at(text: &str) -> u64 {
        text.split(' ').nth(1).and_then(given_at).unwrap_or(0)
    }

    /// Reads a record, if it was written by the holder whose owner token is `token`: the record outlives its
    /// lock, and a client of another kind may have taken the lock since.
    pub(crate) fn parse(text: &str, token: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let fence = parts.next()?.parse().ok()?;
        let since = parts.next().and_then(given_at)?;
        let owner = parts.next()?;
        let who = parts.next()?;
        let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(since))?;
        (owner == token).then(|| Self { fence, since, who: who.to_owned() })
    }
}

/// Reads `since` or `since:unbroken`.
fn given_at(word: &str) -> Option<u64> {
    word.split(':').next()?.parse().ok()
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
    /// on the lock. `None` for a foreign client.
    pub fn fence(&self) -> Option<u64> {
        self.0.record.as_ref().map(|record| record.fence)
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
    fn a_record_of_an_earlier_holder_says_nothing_about_this_one() {
        let text = "1700000000000001 1700000000000000 abc-1 web-7 pid 1 deduct stock:<id>";
        let record = Record::parse(text, "abc-1").expect("ours");
        assert_eq!(record.fence, 1_700_000_000_000_001);
        assert_eq!(record.who, "web-7 pid 1 deduct stock:<id>");
        assert_eq!(Record::parse(text, "foreign"), None);
        assert_eq!(Record::parse("garbage", "garbage"), None);
        let handed = "1700000000000001 1700000000000000:1699999999000000 abc-1 web-7";
        assert_eq!(Record::parse(handed, "abc-1").map(|handed| handed.since), Some(record.since));
        assert_eq!(
            Record::given_at(handed),
            Record::given_at(text),
            "when it was given away, not since when it is handed on"
        );
    }
}
