//! What tasks do with the local queues, with the leases and turns in them, and with a pending request, on a scheduler that tries
//! many orders of their steps; and what must hold in all of them: one baton in each queue; first come, first served; nobody
//! waits in vain; whatever a cancelled task had goes on or is released, once; a turn ends once; no loss goes unseen.
//!
//! **What is checked** is the runtime itself. `tests/gate` compiles its source with `--cfg dlock_shuttle`: its `sync.rs` takes locks,
//! atomics and channels from [`scheduled`](crate::sync::scheduled), and this is a module of its queue. Beside that,
//! time stands still and the queue has two shards instead of sixteen. Every scenario ends with [`World::close`](world::World::close), which looks for whatever is left or
//! lost; a task that waits for ever is found by the scheduler.
//!
//! **That the checks catch mistakes** is checked too: each of [`weakness::ALL`] is made by the locks and channels
//! (`scheduled.rs`) or by those who use the queue (`world.rs`, `outside.rs`), where its name stands.
//!
//! **What is not seen.** Every atomic operation is sequentially consistent here: the scheduler (shuttle) knows nothing else. Loom
//! knows weaker orderings, but tries all orders, and most of these scenarios have more than a million. The queue leans on its locks;
//! whether the orderings of a lease's deadline, of a turn's limit and of what was told of it are strong enough, nothing here shows.

mod anything;
mod book;
mod closing;
mod crowd;
mod messages;
mod order;
mod outside;
mod parking;
mod timeouts;
mod turns;
pub mod weakness;
mod world;

pub use crate::sync::scheduled::weaken;

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

const fn scenario(name: &'static str, run: fn(), small: fn()) -> Scenario {
    Scenario { name, run, small }
}

/// All of them.
pub const ALL: &[Scenario] = &[
    scenario("who_stays_gets_a_turn", || order::turns(3), || order::passing(3)),
    scenario("first_come_first_served", || order::turns(4), || order::in_order(2)),
    scenario("who_leaves_is_skipped", || order::leaving(2), || order::leaving(1)),
    scenario("a_dropped_baton_goes_on", || order::dropped_batons(3), || order::dropped_batons(2)),
    scenario("who_does_not_wait_takes_no_baton", || order::at_once(2), || order::at_once(1)),
    scenario("a_message_finds_request_or_lease", messages::of_the_head, messages::of_the_head),
    scenario("a_request_goes_on_with_the_next", messages::of_the_next, messages::of_the_next),
    scenario("news_reach_who_waits_for_them", messages::news, messages::news),
    scenario("a_lease_is_parked_or_used", || parking::parked(2), || parking::parked(1)),
    scenario("close_leaves_nothing", || closing::at_any_time(3), || closing::at_any_time(1)),
    scenario("close_sends_everybody_away", || closing::with_a_head(3), || closing::with_a_head(1)),
    scenario("a_timeout_check_comes_in_time", timeouts::in_time, timeouts::in_time),
    scenario("whoever_is_out_of_time_is_sent_away", || timeouts::keeper(3), || timeouts::keeper(1)),
    scenario("those_out_of_time_are_told_what_is_learned", || timeouts::told(3), || timeouts::told(2)),
    scenario("no_more_than_so_many_wait", || crowd::in_bounds(4), || crowd::in_bounds(2)),
    scenario("a_turn_ends_once", turns::ended_by_several, turns::ended_by_several),
    scenario("a_loss_stops_the_bodies", || turns::lost(2), || turns::lost(1)),
    scenario("anything", || anything::anything(4), || {}),
];

/// How the scheduler runs.
pub fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    // Without optimization tasks need some room.
    config.stack_size = 0x2_0000;
    // All is taken to be sequentially consistent: see above.
    config.silence_warnings = true;
    config
}
