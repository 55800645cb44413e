//! The judge must be able to say no: each way to weaken the protocol is caught within a few worlds.

use dlock_simulation::{Options, Rule, Weakness, run};

/// Looks at world after world until the judge, who looks at nothing else, sees this rule broken.
#[track_caller]
fn is_caught(weakness: Weakness, rule: Rule, within: u64) {
    is_caught_after(4_000, weakness, rule, within);
}

#[track_caller]
fn is_caught_after(acquisitions: u64, weakness: Weakness, rule: Rule, within: u64) {
    for seed in 1..=within {
        let options = Options { seed, acquisitions, weakness: Some(weakness), only: Some(rule), trace: false };
        if let Some(violation) = run(options).violation {
            println!("{weakness:?}: seed {seed}: {violation:?}");
            return;
        }
    }
    panic!("{weakness:?} went unnoticed in {within} worlds");
}

#[test]
fn a_deadline_from_the_reply_is_caught() {
    is_caught(Weakness::DeadlineFromReply, Rule::Covered, 400);
    is_caught(Weakness::DeadlineFromReply, Rule::Exclusion, 1_000);
}

#[test]
fn a_handed_lease_that_counts_from_the_message_is_caught() {
    is_caught(Weakness::HandedFromMessage, Rule::Covered, 50);
    is_caught(Weakness::HandedFromMessage, Rule::Exclusion, 50);
}

#[test]
fn a_stale_hand_over_that_is_believed_is_caught() {
    is_caught(Weakness::StaleHandOver, Rule::Covered, 1_000);
}

#[test]
fn a_release_without_a_token_check_is_caught() {
    is_caught(Weakness::ReleaseWithoutToken, Rule::OwnToken, 50);
    is_caught(Weakness::ReleaseWithoutToken, Rule::Exclusion, 50);
}

#[test]
fn a_renewal_without_a_token_check_is_caught() {
    is_caught(Weakness::RenewWithoutToken, Rule::OwnToken, 50);
    is_caught(Weakness::RenewWithoutToken, Rule::Covered, 50);
}

#[test]
fn a_hand_over_to_who_is_not_there_is_caught() {
    is_caught(Weakness::HandOverToTheDead, Rule::Listening, 50);
}

#[test]
fn a_block_of_fences_that_is_not_returned_is_caught() {
    is_caught_after(40_000, Weakness::BlockKept, Rule::Ahead, 50);
}

#[test]
fn a_shortening_without_the_cap_is_caught() {
    is_caught(Weakness::ShortenWithoutCap, Rule::Covered, 50);
    is_caught(Weakness::ShortenWithoutCap, Rule::Exclusion, 50);
}

#[test]
fn a_cancelled_request_that_nobody_cleans_up_is_caught() {
    is_caught(Weakness::CancelledNotCleanedUp, Rule::Orphan, 200);
}

#[test]
fn a_sleeper_without_a_deadline_of_its_own_is_caught() {
    is_caught(Weakness::SleeperWithoutDeadline, Rule::Free, 50);
    is_caught(Weakness::SleeperWithoutDeadline, Rule::Rest, 50);
}

#[test]
fn a_fence_without_a_time_floor_is_caught() {
    is_caught(Weakness::FenceWithoutTimeFloor, Rule::Fences, 50);
}

#[test]
fn an_acquire_without_nx_is_caught() {
    is_caught(Weakness::AcquireWithoutNx, Rule::Exclusion, 50);
}

#[test]
fn a_shortening_that_is_carried_out_twice_is_caught() {
    is_caught(Weakness::ShorteningResent, Rule::Covered, 1_000);
}

#[test]
fn a_block_of_fences_that_is_returned_blindly_is_caught() {
    is_caught(Weakness::BlockReturnedBlindly, Rule::Returned, 50);
}

#[test]
fn a_queue_that_is_served_from_its_end_is_caught() {
    is_caught(Weakness::LastComesFirst, Rule::Order, 50);
}

#[test]
fn an_answer_without_a_floor_that_counts_is_caught() {
    is_caught(Weakness::UnknownFloor, Rule::Covered, 1_000);
}
