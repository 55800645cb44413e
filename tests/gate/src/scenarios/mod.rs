//! What tasks do with the queues. Every scenario ends with [`World::close`](world::World::close), which looks for whatever is
//! left or lost; a task that waits for ever is found by the scheduler.

mod anything;
mod closing;
mod crowd;
mod messages;
mod order;
mod parking;
mod timeouts;
mod world;

use crate::Scenario;

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("who_stays_gets_a_turn", || order::turns(3), || order::turns(2)),
    Scenario::new("first_come_first_served", || order::turns(4), || order::in_order(2)),
    Scenario::new("who_leaves_is_skipped", || order::leaving(2), || order::leaving(1)),
    Scenario::new("a_dropped_baton_goes_on", || order::dropped_batons(3), || order::dropped_batons(2)),
    Scenario::new("who_does_not_wait_takes_no_baton", || order::at_once(2), || order::at_once(1)),
    Scenario::new("a_message_finds_request_or_lease", messages::of_the_head, messages::of_the_head),
    Scenario::new("a_request_goes_on_with_the_next", messages::of_the_next, messages::of_the_next),
    Scenario::new("a_lease_is_parked_or_used", || parking::parked(2), || parking::parked(1)),
    Scenario::new("close_leaves_nothing", || closing::at_any_time(3), || closing::at_any_time(1)),
    Scenario::new("close_sends_everybody_away", || closing::with_a_head(3), || closing::with_a_head(1)),
    Scenario::new("a_timeout_check_comes_in_time", timeouts::in_time, timeouts::in_time),
    Scenario::new("whoever_is_out_of_time_is_sent_away", || timeouts::keeper(3), || timeouts::keeper(1)),
    Scenario::new("those_out_of_time_are_told_what_is_learned", || timeouts::told(3), || timeouts::told(2)),
    Scenario::new("no_more_than_so_many_wait", || crowd::in_bounds(4), || crowd::in_bounds(2)),
    Scenario::new("anything", || anything::anything(4), || {}),
];
