//! A simulation of dlock's protocol: the Lua scripts that Redis runs, the rules that the clients follow, and everything
//! in between that can go wrong, over virtual time. A seed says all that happens, so it happens again whenever wanted.
//!
//! What is checked is what runs: the scripts are those of the store, and the rules on what a lease is worth (`grant`,
//! `hand_over`, `fences`) are the files of dlock itself. The rest of the client is told again here, in short, from the
//! description of the protocol.
//!
//! A violation is printed with the seed of its world; `--seed N --each M --trace` shows what happened in it.
//!
//! # What is left out
//! - Tasks of one process share one memory without races: a process handles one event at a time.
//! - A script runs in one instant of the server's clock, which is never stepped; no two run in the same microsecond.
//! - The server loses nothing but the records (in worlds made for that); the locks survive every failover.
//! - Scripts are always known to the server and never refused (memory, permissions, cluster slots, types).
//! - A connection is not broken as a whole: single messages on it get lost, are delayed past others, or come twice. The
//!   network does so at most twice in a row to the same wish, so that waits have a bound that can be checked. It never
//!   repeats the shortening of a lease by itself: a store that resends what was answered would not be safe.

mod ask;
mod clock;
mod env;
mod events;
mod figures;
mod foreign;
mod judge;
mod lease;
mod leave;
mod network;
mod plan;
mod process;
mod redis;
mod renewal;
mod report;
mod rng;
mod script;
mod store;
mod task;
mod trace;
mod weakness;
mod world;

#[path = "../../../dlock-runtime/src/protocol/fences.rs"]
mod fences;
#[path = "../../../dlock-runtime/src/protocol/grant.rs"]
mod grant;
#[path = "../../../dlock-runtime/src/protocol/hand_over.rs"]
mod hand_over;
#[expect(dead_code, reason = "not all of them are used here")]
#[path = "../../../dlock-runtime/src/limits.rs"]
mod limits;

/// Where the rules look for the clock.
mod types {
    pub(crate) use crate::clock as boot_time;
}

pub use self::{
    figures::Figures,
    judge::{Rule, Violation},
    redis::{Redis, Reply},
    report::Report,
    script::Host,
    weakness::Weakness,
};

/// What to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What this world is made from.
    pub seed: u64,
    /// After how many turns everybody stops wanting more.
    pub acquisitions: u64,
    /// What is left out of the protocol.
    pub weakness: Option<Weakness>,
    /// The only rule that the judge looks at, if not all.
    pub only: Option<Rule>,
    /// Whether to keep the last things that happened.
    pub trace: bool,
}

/// Runs a world to its end, or to the first violation.
#[must_use]
pub fn run(options: Options) -> Report {
    world::World::new(options).run()
}
