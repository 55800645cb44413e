//! When a process lets go of a lease though its own tasks would go on: a pure rule.

use std::time::Duration;

use crate::types::boot_time::BootTime;

/// After so long without a break the lock goes free for a moment, so that clients which do not queue are not shut out
/// for ever. The first turn of a lease is passed on however long it took.
pub(super) const UNBROKEN: Duration = Duration::from_secs(1);

/// How much of a contended lock this process takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Whether tasks take turns at all.
    pub(crate) turns: bool,
    /// How many turns, once somebody waits elsewhere.
    pub(crate) most_turns: u32,
    /// And for how long.
    pub(crate) longest: Duration,
}

impl Default for Share {
    fn default() -> Self {
        Self { turns: true, most_turns: 10_000, longest: Duration::from_millis(3) }
    }
}

/// Why a lease is not passed on within the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Yield {
    /// It goes on.
    No,
    /// Somebody else is served first.
    ToOthers,
    /// It goes free for a moment.
    ToAnybody,
}

/// How a lease was used so far.
pub(super) struct Usage {
    /// Turns that began, in all and since somebody waits elsewhere.
    pub(super) turns: u32,
    pub(super) turns_contended: u32,
    /// Since when somebody waits elsewhere; `BootTime::NEVER` if nobody is known to.
    pub(super) contended_since: BootTime,
    pub(super) taken: BootTime,
}

impl Share {
    pub(super) fn must_yield(&self, usage: &Usage, now: BootTime) -> Yield {
        let contended = usage.contended_since != BootTime::NEVER;
        let enough = usage.turns_contended >= self.most_turns || now >= usage.contended_since.after(self.longest);
        if !self.turns || (contended && enough) {
            Yield::ToOthers
        } else if usage.turns > 1 && now >= usage.taken.after(UNBROKEN) {
            Yield::ToAnybody
        } else {
            Yield::No
        }
    }
}
