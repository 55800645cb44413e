//! The protocol without one of its rules: each time, the shortest way to what goes wrong is found.

#[allow(dead_code)] // Not every scenario is needed to catch something.
mod scenarios;

use dlock_model::{BACKED, EXCLUSION, FENCES, MARKED, QUEUE, SETTLES, Scenario, UNTOUCHED, Weakened, YIELDS, find};
use scenarios::{
    cancel, crash, crash_of_three, foreign, lost_clock, promotion, refill, replica, shortening, shortening_of_another,
    slow, terms,
};

fn caught(rule: Weakened, scenario: Scenario, property: &'static str) {
    let report = find(scenario.without(rule), property);
    println!("{rule:?}: {report}");
    assert!(!report.broken.is_empty(), "{rule:?} is not noticed: {report}");
}

macro_rules! weakened {
    ($($name:ident: $rule:ident, $scenario:expr, $property:expr;)*) => {
        $(#[test]
        fn $name() {
            caught(Weakened::$rule, $scenario, $property);
        })*
    };
}

weakened! {
    a_deadline_from_the_reply: DeadlineFromReply, slow(4), EXCLUSION;
    a_deadline_from_the_message: DeadlineFromMessage, slow(4), EXCLUSION;
    a_deadline_from_the_last_question_instead_of_the_last_answered: DeadlineFromLastQuestion, slow(4), EXCLUSION;
    a_stale_message_that_is_believed: StaleMessageBelieved, slow(4), EXCLUSION;
    a_release_without_a_look_at_the_token: ReleaseWithoutToken, slow(4), EXCLUSION;
    a_renewal_without_a_look_at_the_token: RenewWithoutToken, shortening_of_another(3), BACKED;
    a_renewal_that_shortens: RenewalShortens, terms(4), EXCLUSION;
    a_hand_over_to_the_dead: HandedToTheDead, crash(4), SETTLES;
    a_message_to_who_listens_at_a_replica: PublishedBeforeLooking, replica(3), EXCLUSION;
    a_message_to_who_listens_at_a_demoted_master: PublishedBeforeLooking, promotion(4), BACKED;
    a_queue_that_is_jumped: QueueJumped, slow(4), QUEUE;
    a_waiter_that_does_not_mark_the_lock: NotMarked, slow(3), MARKED;
    a_mark_that_is_lost_by_more_fences: MarkLostByRefill, refill(4), MARKED;
    a_mark_that_is_lost_by_a_hand_over: MarkLostByHandOver, crash_of_three(3), MARKED;
    a_mark_on_the_value_of_another_client: ForeignMarked, foreign(3), UNTOUCHED;
    a_new_life_of_the_server_that_is_ignored: LifeIgnored, promotion(4), FENCES;
    a_lost_fence_clock_that_begins_from_nothing: ClockFromNothing, lost_clock(3), FENCES;
    a_shortening_that_does_not_cap_later_grants: ShorteningUncapped, shortening(5), BACKED;
    a_lease_that_is_kept_though_it_stays_too_short: CappedLeaseKept, shortening(5), SETTLES;
    a_cancelled_request_that_is_forgotten: CancelForgotten, cancel(2), SETTLES;
    a_cancelled_request_that_is_released_once: ReleasedOnce, cancel(2), SETTLES;
    a_sleeper_without_a_deadline_of_its_own: SleeperWithoutDeadline, slow(3), SETTLES;
    a_deadline_without_margin: NoMargin, slow(3), EXCLUSION;
    a_wanted_mark_that_is_overwritten: MarkOverwritten, slow(3), YIELDS;
}
