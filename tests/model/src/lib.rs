//! A model of dlock's locking protocol, to be explored to the end.
//!
//! **What is modelled.** One key. The store's scripts, branch by branch (`store.rs`): lock, mark, fence clock, queue, hand-over and
//! expiry; and the plain command of those who need no fence. Clients (`client.rs`, `lease.rs`) that ask, wait, ask again, take
//! turns, renew, shorten, reserve, give way, release, repeat a release, cancel and crash, each step at any time or never: a pause
//! is a step that is not taken. Connections that keep their order and delay everything (`network.rs`), and mishaps
//! (`scenario.rs`): packets lost, astray or arriving twice. A replica that takes over with a copy of any age, and the failover guard
//! (`guard.rs`). A clock that is 1% slow. What a client concludes from times and fences is concluded by the runtime's own rules,
//! which are part of this crate by path.
//!
//! **What must hold** is in `properties.rs`, also for what no state shows: from every state on, if nothing bad happens any more,
//! who waits gets the lock in time, and nobody leaves it behind.
//!
//! **What is not modelled.** Time goes in ticks of 100 ms: a TTL is 2 to 4 of them, the poll 1, an entry in the queue counts for 2,
//! and what happens within a tick has an order and no length. Mishaps are counted. A packet that is older than the longest TTL
//! is lost. But for a failover, Redis keeps what it was told (no eviction), and its clock is not stepped. Fences rise over a failover
//! though the new master's time may be behind by anything; blocks of them have one size. The local queue is a list of tasks: what
//! moves it, `linger`, `max_hold` and `yield_after` by time are times at which a step may be taken anyway. Who needs no fence always
//! begins with the plain command, also where others want the lock. A client that crashes hears nothing from then on.
//!
//! **What only the simulation checks**, which runs the real scripts: clients of another kind, and the break after a second that is
//! for them; clients that listen at a replica; failovers without the guard; many keys. That the fence clock can be lost is
//! checked there, and in `tests/mint.rs`.

#[expect(dead_code, reason = "not all of it is used here")]
#[path = "../../../dlock-runtime/src/types/boot_time.rs"]
mod boot_time;
#[path = "../../../dlock-runtime/src/protocol/fences.rs"]
mod fences;
#[path = "../../../dlock-runtime/src/protocol/grant.rs"]
mod grant;
#[path = "../../../dlock-runtime/src/protocol/hand_over.rs"]
mod hand_over;
#[expect(dead_code, reason = "not all of it is used here")]
#[path = "../../../dlock-runtime/src/limits.rs"]
mod limits;
#[path = "../../../dlock-runtime/src/protocol/turn_start.rs"]
mod turn_start;

// What the rules are built on.
mod types {
    pub(crate) use crate::boot_time;
}

mod sync {
    pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
}

/// Time goes on by ticks alone.
mod system {
    pub(crate) fn boot_nanos() -> u64 {
        0
    }
}

mod client;
mod guard;
mod lease;
mod network;
mod properties;
mod protocol;
mod scenario;
mod store;

pub use crate::{
    network::{Packet, Token},
    properties::{BACKED, EXCLUSION, FENCES, LATEST, MARKED, QUEUE, SETTLES, YIELDS},
    protocol::{Action, State},
    scenario::{Mishap, Scenario, Task},
    store::FenceClock,
};
