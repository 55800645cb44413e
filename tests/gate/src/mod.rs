//! What tasks do with the local queues, with the leases and turns in them, and with a pending request, on a scheduler that tries
//! many orders of their steps; and what must hold in all of them: one baton in each queue; first come, first served; nobody
//! waits in vain; whatever a cancelled task had goes on or is released, once; a turn ends once; no loss goes unseen.
//!
//! **What is checked** is the runtime itself. `tests/gate` compiles its source with `--cfg dlock_shuttle`: its `sync.rs` takes locks,
//! atomics and channels from [`scheduled`](crate::sync::scheduled), and this is a module of its queue. Beside that,
//! time stands still and the queue has two shards instead of sixteen. Every scenario is a [`story`], which looks at its end for
//! whatever is left or lost; a task that waits for ever is found by the scheduler.
//!
//! **That the checks catch mistakes** is checked too: each scenario names those that it catches. They are made by the locks and
//! channels (`scheduled.rs`) or by those who use the queue, where their names stand.
//!
//! **What is not seen.** Every atomic operation is sequentially consistent here: the scheduler (shuttle) knows nothing else. Loom
//! knows weaker orderings, but tries all orders, and most of these scenarios have more than a million. The queue leans on its locks;
//! whether the orderings of a lease's deadline, of a turn's limit and of what was told of it are strong enough, nothing here shows.

mod book;
mod messages;
mod outside;
mod timeouts;
mod turns;
mod visits;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{pending, poll_fn},
    mem::{forget, take},
    pin::pin,
    sync::atomic,
    task::{Context, Poll, Waker},
};

use shuttle::{
    future::block_on,
    rand::{Rng, thread_rng},
    thread,
};

use self::{book::Book, visits::*, world::*};
use super::*;
pub use crate::sync::scheduled::weaken;
use crate::{
    local::{
        body::{SupervisedBody, Supervisor},
        lease::Origin,
        pending::PendingRequest,
        turn::{Host, Obligation, Obligor, Opening, Taker, Turn, Watch},
        verdict::Verdict,
    },
    observe::Observer,
    protocol::{
        fences::Fences,
        grant::Grant,
        token::{Identity, LockId, Token},
    },
    store::AcquireCommand,
    sync::{AtomicBool, Notify, scheduled::is_weakened},
    types::{
        error::{LockError, LostReason},
        holder::Holder,
        options::{OnLost, Terms, Wait},
    },
};

/// A story that must end well in any order of its steps.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What must hold.
    pub name: &'static str,
    /// With so many tasks.
    pub run: fn(usize),
    /// As many as it takes.
    pub many: usize,
    /// So few that all orders can be tried, or many of them; zero if there is no sequence of all.
    pub few: usize,
    /// Mistakes that are made on purpose, one in each process, and that it must catch.
    pub catches: &'static [&'static str],
}

macro_rules! scenarios {
    ($($name:ident($many:literal, $few:literal): $run:expr, [$($weakness:ident),*];)*) => {
        /// All of them.
        pub const ALL: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            run: $run,
            many: $many,
            few: $few,
            catches: &[$(stringify!($weakness)),*],
        }),*];
    };
}

scenarios! {
    who_stays_gets_a_turn(3, 3): |tasks| visits(rules(), &[PASSES; 4][..tasks], &[]),
        [a_lock_lets_others_in_between_two_uses, who_gets_the_baton_is_not_woken];
    first_come_first_served(4, 3): |tasks| visits(rules(), &[STAYS; 4][..tasks], &[]),
        [the_last_one_is_served_first];
    who_leaves_is_skipped(4, 3): |tasks| visits(rules(), &[leaves(1), STAYS, STAYS, leaves(2)][..tasks], &[]),
        [a_baton_goes_with_who_left, a_baton_that_was_sent_is_gone_with_its_channel];
    a_dropped_baton_goes_on(3, 2): |tasks| visits(rules(), &[DROPS_ASKING, DROPS, DROPS_ASKING][..tasks], &[]),
        [a_dropped_baton_is_gone, a_dropped_baton_leaves_nothing_to_the_store];
    who_does_not_wait_takes_no_baton(3, 2): |tasks| visits(rules(), &[AT_ONCE, STAYS, AT_ONCE][..tasks], &[]), [];
    who_does_not_wait_uses_a_parked_lease(3, 2): |tasks| visits(lingering(), &[AT_ONCE, STAYS, AT_ONCE][..tasks], &[]), [];
    a_message_finds_request_or_lease(3, 3): |_| story(rules(), messages::of_the_head),
        [a_request_becomes_a_lease_in_two_steps, a_lease_is_not_told_what_was_said_too_early,
         a_lease_that_was_given_back_is_forgotten, a_lease_that_is_over_stays_in_its_queue];
    a_request_goes_on_with_the_next(3, 3): |_| story(rules(), messages::of_the_next),
        [a_request_is_not_known_in_its_queue, who_is_about_to_wait_is_not_notified];
    a_lease_is_parked_or_used(2, 1): |tasks| visits(lingering(), &[STAYS; 4][..tasks], &[is_wanted, World::unpark]),
        [a_parked_lease_is_given_back_too, a_contended_lease_is_parked, a_lease_is_used_and_parked, a_lease_in_use_is_unparked,
         a_lease_in_use_is_given_back_when_contended, a_parked_lease_is_contended_in_vain];
    close_leaves_nothing(3, 1): |tasks| visits(lingering(), &[STAYS; 4][..tasks], &[shuts_down]),
        [a_lease_is_parked_after_the_end, somebody_joins_after_the_end, the_end_takes_no_lease_out];
    close_sends_everybody_away(3, 1): |tasks| story(rules(), |world| visits::end_with_a_head(world, tasks)),
        [those_in_queue_are_not_told_of_the_end];
    a_timeout_check_comes_in_time(3, 3): |_| story(rules(), timeouts::in_time),
        [a_timeout_check_forgets_who_joined_meanwhile, a_timeout_check_looks_before_it_listens,
         a_timeout_check_sends_everybody_away, a_check_is_not_scheduled_again];
    whoever_is_out_of_time_is_sent_away(3, 1): |tasks| story(rules(), |world| timeouts::keeper(world, tasks)),
        [the_keeper_is_not_woken, a_queue_has_no_check];
    those_out_of_time_are_told_what_is_learned(3, 2): |tasks| story(rules(), |world| timeouts::told(world, tasks)),
        [those_who_wait_for_an_answer_are_not_told, those_who_wait_for_an_answer_are_lost_with_their_queue,
         each_of_those_out_of_time_asks];
    no_more_than_so_many_wait(4, 3): visits::in_bounds,
        [many_take_the_last_place, who_leaves_still_counts, who_is_refused_counts];
    a_turn_ends_once(3, 3): |_| story(rules(), turns::ended_by_several),
        [who_ends_a_turn_forgets_its_baton];
    a_loss_stops_the_bodies(2, 1): |tasks| story(rules(), |world| turns::lost(world, tasks)),
        [a_body_looks_before_it_leaves_its_waker];
    anything(4, 0): visits::anything, [];
}
