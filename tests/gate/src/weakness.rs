//! Mistakes that are made on purpose, one in each process, to see that a scenario catches them.

/// A mistake.
pub struct Weakness {
    /// What is wrong. The code that does it asks for this name.
    pub name: &'static str,
    /// The scenario that fails by it.
    pub caught_by: &'static str,
}

const fn weakness(name: &'static str, caught_by: &'static str) -> Weakness {
    Weakness { name, caught_by }
}

/// All of them: first those of the locks and channels, then those of who uses the queue.
pub const ALL: &[Weakness] = &[
    weakness("a_lock_lets_others_in_between_two_uses", "who_stays_gets_a_turn"),
    weakness("many_take_the_last_place", "no_more_than_so_many_wait"),
    weakness("who_leaves_still_counts", "no_more_than_so_many_wait"),
    weakness("who_is_refused_counts", "no_more_than_so_many_wait"),
    weakness("a_timeout_check_forgets_who_joined_meanwhile", "a_timeout_check_comes_in_time"),
    weakness("a_timeout_check_looks_before_it_listens", "a_timeout_check_comes_in_time"),
    weakness("a_baton_goes_with_who_left", "who_leaves_is_skipped"),
    weakness("a_baton_that_was_sent_is_gone_with_its_channel", "who_leaves_is_skipped"),
    weakness("who_gets_the_baton_is_not_woken", "who_stays_gets_a_turn"),
    weakness("the_last_one_is_served_first", "first_come_first_served"),
    weakness("who_is_about_to_wait_is_not_notified", "news_reach_who_waits_for_them"),
    weakness("a_dropped_baton_is_gone", "a_dropped_baton_goes_on"),
    weakness("a_dropped_baton_leaves_nothing_to_the_store", "a_dropped_baton_goes_on"),
    weakness("a_parked_lease_is_given_back_too", "a_lease_is_parked_or_used"),
    weakness("a_contended_lease_is_parked", "a_lease_is_parked_or_used"),
    weakness("a_lease_is_parked_after_the_end", "close_leaves_nothing"),
    weakness("a_lease_is_used_and_parked", "a_lease_is_parked_or_used"),
    weakness("a_lease_in_use_is_unparked", "a_lease_is_parked_or_used"),
    weakness("a_lease_in_use_is_given_back_when_contended", "a_lease_is_parked_or_used"),
    weakness("a_parked_lease_is_contended_in_vain", "a_lease_is_parked_or_used"),
    weakness("a_request_becomes_a_lease_in_two_steps", "a_message_finds_request_or_lease"),
    weakness("a_request_is_not_known_in_its_queue", "a_request_goes_on_with_the_next"),
    weakness("a_lease_is_not_told_what_was_said_too_early", "a_message_finds_request_or_lease"),
    weakness("a_lease_that_was_given_back_is_forgotten", "a_message_finds_request_or_lease"),
    weakness("a_lease_that_is_over_stays_in_its_queue", "a_message_finds_request_or_lease"),
    weakness("those_in_queue_are_not_told_of_the_end", "close_sends_everybody_away"),
    weakness("somebody_joins_after_the_end", "close_leaves_nothing"),
    weakness("the_end_takes_no_lease_out", "close_leaves_nothing"),
    weakness("the_keeper_is_not_woken", "whoever_is_out_of_time_is_sent_away"),
    weakness("a_timeout_check_sends_everybody_away", "a_timeout_check_comes_in_time"),
    weakness("a_queue_has_no_check", "whoever_is_out_of_time_is_sent_away"),
    weakness("a_check_is_not_scheduled_again", "a_timeout_check_comes_in_time"),
    weakness("those_who_wait_for_an_answer_are_not_told", "those_out_of_time_are_told_what_is_learned"),
    weakness("those_who_wait_for_an_answer_are_lost_with_their_queue", "those_out_of_time_are_told_what_is_learned"),
    weakness("each_of_those_out_of_time_asks", "those_out_of_time_are_told_what_is_learned"),
    weakness("who_ends_a_turn_forgets_its_baton", "a_turn_ends_once"),
    weakness("a_body_looks_before_it_leaves_its_waker", "a_loss_stops_the_bodies"),
];
