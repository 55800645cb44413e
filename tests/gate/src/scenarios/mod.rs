//! What tasks do at the gate. Every scenario ends with [`World::close`](world::World::close), which looks for whatever is
//! left or lost; who waits in vain is found by the scheduler.

mod anything;
mod closing;
mod crowd;
mod lines;
mod messages;
mod parking;
mod patrol;
mod world;

use crate::Scenario;

pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("who_stays_gets_a_turn", || lines::turns(3), || lines::turns(2)),
    Scenario::new("first_come_first_served", || lines::turns(4), || lines::in_order(2)),
    Scenario::new("who_leaves_is_skipped", || lines::leaving(2), || lines::leaving(1)),
    Scenario::new("a_dropped_place_goes_on", || lines::dropped_places(3), || lines::dropped_places(2)),
    Scenario::new("who_does_not_wait_takes_no_place", || lines::at_once(2), || lines::at_once(1)),
    Scenario::new("a_message_finds_request_or_lease", messages::of_the_head, messages::of_the_head),
    Scenario::new("a_request_goes_on_with_the_next", messages::of_the_next, messages::of_the_next),
    Scenario::new("a_lease_is_parked_or_used", || parking::parked(2), || parking::parked(1)),
    Scenario::new("close_leaves_nothing", || closing::at_any_time(3), || closing::at_any_time(1)),
    Scenario::new("close_sends_everybody_away", || closing::with_a_head(3), || closing::with_a_head(1)),
    Scenario::new("a_patrol_comes_in_time", patrol::in_time, patrol::in_time),
    Scenario::new("whoever_is_out_of_time_is_sent_away", || patrol::keeper(3), || patrol::keeper(1)),
    Scenario::new("those_out_of_time_are_told_what_is_learned", || patrol::told(3), || patrol::told(2)),
    Scenario::new("no_more_than_so_many_wait", || crowd::in_bounds(4), || crowd::in_bounds(2)),
    Scenario::new("anything", || anything::anything(4), || {}),
];
