//! The local queues of a process, checked on a scheduler that tries many orders.
//!
//! **What is checked** is the text of `local/queue`: it is copied by the build and compiled here, where
//! `crate::sync` means the scheduler's locks and atomics, and requests and leases are small stand-ins. `scenarios` says what
//! tasks do, and what must hold: one baton in each queue; first come, first served; nobody waits in vain; whatever a
//! cancelled task had goes on or is given back, once.
//!
//! **That the checks catch mistakes** is checked too: [`weakness`] makes some, each in a copy of its own.
//!
//! **What is not seen.** Every atomic operation is taken to be sequentially consistent. The channel by which a baton goes to
//! a task is tokio's own, and each of its operations is one step. Time stands still, but for timeouts.

mod caught;
mod clock;
mod lease;
mod lock_id;
mod once;
mod pending;
mod sync;
mod verdict;
pub mod weakness;

// Where the copied text looks for what stands in here.
mod types {
    pub(crate) use crate::clock as boot_time;
}
mod protocol {
    pub(crate) use crate::lock_id as token;
}
mod observe {
    pub(crate) use crate::caught;
}
mod local {
    pub(crate) use crate::{lease, pending, verdict};
}

#[expect(
    clippy::all,
    dead_code,
    unused_variables,
    reason = "not all is used here of what is copied, and some of it is weakened"
)]
mod copies {
    include!(concat!(env!("OUT_DIR"), "/copies.rs"));
}

/// A story that must end well in any order of its steps.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What must hold.
    pub name: &'static str,
    /// With as many tasks as it takes.
    pub run: fn(),
    /// With so few tasks that all orders can be tried, or many of them.
    pub small: fn(),
}

impl Scenario {
    pub(crate) const fn new(name: &'static str, run: fn(), small: fn()) -> Self {
        Self { name, run, small }
    }
}

/// The queues as they are.
pub const AS_IT_IS: &[Scenario] = copies::as_it_is::scenarios::ALL;
/// The queues as they are, but for the number of their shards.
pub const FEW_SHARDS: &[Scenario] = copies::few_shards::scenarios::ALL;

/// The scenario `name` with the weakness of that number.
pub fn weakened(number: usize, name: &str) -> Scenario {
    let scenarios = copies::WEAKENED[number];
    *scenarios.iter().find(|scenario| scenario.name == name).expect("a scenario of that name")
}

/// How the scheduler runs.
pub fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    // Without optimization tasks need some room.
    config.stack_size = 0x2_0000;
    // All is taken to be sequentially consistent: see above.
    config.silence_warnings = true;
    config
}

/// How many orders are tried: more with `DLOCK_FULL=1`.
pub fn orders(few: usize, many: usize) -> usize {
    if std::env::var_os("DLOCK_FULL").is_some_and(|full| full == "1") { many } else { few }
}
