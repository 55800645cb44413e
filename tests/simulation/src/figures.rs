//! What happened in a run, counted.

use std::{fmt, ops::AddAssign};

macro_rules! figures {
    ($($name:ident: $text:literal),+ $(,)?) => {
        /// Counts of what happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is printed with what it counts")]
        pub struct Figures {
            $(pub $name: u64),+
        }

        impl AddAssign for Figures {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
            }
        }

        impl fmt::Display for Figures {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{:>14}  {}", self.$name, $text)?;)+
                Ok(())
            }
        }
    };
}

figures! {
    acquisitions: "acquisitions (turns)",
    leases: "leases",
    scripts: "script runs",
    handed: "hand-overs",
    told: "of these heard of by message",
    stale: "messages refused as too old",
    renewals: "renewals",
    shortened: "leases shortened",
    refilled: "blocks of fences for a lease that had used up its own",
    cancelled: "requests and waits cancelled",
    busy: "single tries that found the lock taken",
    foreign: "locks taken by foreign clients",
    lost_turns: "turns cut off at their limit or with their lease",
    expired: "locks that expired in the store",
    lost: "requests, replies and messages lost",
    delayed: "delayed",
    doubled: "delivered twice",
    crashes: "crashes",
    pauses: "pauses",
    cuts: "processes cut off from the store",
    deaf: "processes that missed messages",
    failovers: "losses of all records",
    events: "events",
    virtual_ms: "ms of virtual time",
}
