use super::{share::UNBROKEN, *};
use crate::{
    protocol::token::{Identity, Token},
    types::options::{Defaults, MaxHold, Overrides, Renew},
};

const SECOND: Duration = Duration::from_secs(1);
const WHOLE: Duration = Duration::from_millis(988);

fn lease_of(asked: BootTime, ttl: Duration, fences: u32, waiting: bool) -> Lease {
    let token = Token::new(Identity::random().expect("random numbers"), 1);
    let lock_id = LockId { name: "k".into(), token };
    Lease::new(lock_id, "k", Fences::new(1, fences), Grant { asked, ttl }, waiting, Origin::default())
}

fn lease(asked: BootTime) -> Lease {
    lease_of(asked, SECOND, 100, false)
}

fn terms(renew: bool, max_hold: Option<Duration>) -> Terms {
    let max_hold = Some(max_hold.map_or(MaxHold::Unbounded, MaxHold::For)).filter(|_| renew);
    let overrides = Overrides { ttl: Some(SECOND), renew: Some(Renew::from(renew)), max_hold, ..Overrides::default() };
    overrides.resolve(&Defaults::default()).expect("valid")
}

fn begins(lease: &Lease, terms: &Terms, fresh: Option<BootTime>, now: BootTime) -> bool {
    lease.begin(terms, fresh, now).is_some()
}

mod deadline {
    use super::*;

    #[test]
    fn it_counts_from_before_the_request_and_keeps_a_margin() {
        let asked = BootTime::now();
        assert_eq!(lease(asked).deadline(), asked.after(WHOLE));
    }

    #[test]
    fn a_lease_past_its_deadline_stays_so_whatever_the_store_says_later() {
        let lease = lease(BootTime::START);
        lease.extend(Grant { asked: BootTime::now(), ttl: SECOND });
        assert_eq!((lease.deadline(), lease.renewed()), (BootTime::START.after(WHOLE), BootTime::START));
    }

    #[test]
    fn renewal_moves_it_forward_only() {
        let asked = BootTime::now();
        let lease = lease(asked);
        let later = asked.after(SECOND / 2);
        lease.extend(Grant { asked: later, ttl: SECOND });
        lease.extend(Grant { asked, ttl: SECOND });
        assert_eq!(lease.deadline(), later.after(WHOLE), "an answer that comes late takes nothing back");
        assert_eq!(lease.renewed(), later);
    }

    #[test]
    fn what_is_over_is_not_extended() {
        let [lost, closed] = [lease(BootTime::now()), lease(BootTime::now())];
        lost.lose(LostReason::Gone);
        closed.close();
        for over in [lost, closed] {
            over.extend(Grant { asked: BootTime::now(), ttl: 10 * SECOND });
            assert_eq!(over.deadline(), BootTime::START);
        }
    }
}

mod loss {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let lease = lease(BootTime::now());
        lease.lose(LostReason::Gone);
        lease.lose(LostReason::Expired);
        assert_eq!((lease.lost_because(), lease.deadline()), (Some(LostReason::Gone), BootTime::START));
    }

    #[test]
    fn what_was_given_back_is_not_lost() {
        let lease = lease(BootTime::now());
        lease.close();
        lease.lose(LostReason::Gone);
        assert_eq!((lease.lost_because(), lease.deadline()), (None, BootTime::START));
    }

    #[test]
    fn a_store_that_took_more_than_two_thirds_of_the_ttl_to_answer_was_too_slow() {
        let because = |round_trip| lease(BootTime::now()).answered_after(round_trip).why_expired(3 * SECOND);
        assert_eq!(because(2 * SECOND), LostReason::Expired, "a renewal has two thirds of it");
        let slow = because(2 * SECOND + Duration::from_millis(1));
        assert_eq!(slow, LostReason::TooSlow { round_trip_ms: 2001, ttl_ms: 3000 });
    }

    #[test]
    fn a_lease_knows_where_it_stands_in_the_schedule() {
        let (lease, due) = (lease(BootTime::now()), BootTime::now().after(SECOND));
        assert_eq!(lease.due(), BootTime::NEVER);
        lease.set_due(due);
        assert_eq!(lease.due(), due);
    }
}

mod beginning {
    use super::*;

    #[test]
    fn a_turn_that_is_renewed_begins_with_half_of_its_ttl() {
        let (asked, terms) = (BootTime::now(), terms(true, None));
        let (lease, last) = (lease(asked), asked.after(WHOLE - SECOND / 2));
        assert!(begins(&lease, &terms, None, last));
        assert!(!begins(&lease, &terms, None, last.after(Duration::from_nanos(1))));
    }

    #[test]
    fn a_turn_that_is_not_renewed_begins_with_all_of_it() {
        let (asked, terms) = (BootTime::now(), terms(false, None));
        let lease = lease(asked);
        assert!(begins(&lease, &terms, None, asked));
        assert!(!begins(&lease, &terms, None, asked.after(Duration::from_nanos(1))));
    }

    #[test]
    fn after_an_answer_to_this_very_turn_whatever_is_left_is_enough() {
        let (asked, terms) = (BootTime::now(), terms(true, None));
        let lease = lease(asked);
        assert!(begins(&lease, &terms, Some(asked), asked.after(WHOLE - Duration::from_nanos(1))));
        assert!(!begins(&lease, &terms, Some(asked), asked.after(WHOLE)), "nothing is left");
    }

    #[test]
    fn a_lease_that_is_over_begins_no_turn() {
        let asked = BootTime::now();
        let lease = lease(asked);
        lease.close();
        assert!(!begins(&lease, &terms(true, None), Some(asked), asked));
    }

    #[test]
    fn the_limits_count_from_the_command_that_was_meant_for_it_or_from_now() {
        let asked = BootTime::now();
        let (lease, now) = (lease_of(asked, 10 * SECOND, 100, false), asked.after(SECOND));
        let limits = |terms: &Terms, fresh| {
            let Beginning { began, limit, end, .. } = lease.begin(terms, fresh, now).expect("enough is left");
            (began, limit, end)
        };
        let (off, bounded) = (terms(false, None), terms(true, Some(3 * SECOND)));
        assert_eq!(limits(&terms(true, None), None), (now, BootTime::NEVER, BootTime::NEVER));
        assert_eq!(limits(&bounded, None), (now, now.after(3 * SECOND), now.after(3 * SECOND)));
        assert_eq!(limits(&bounded, Some(asked)), (asked, asked.after(3 * SECOND), asked.after(3 * SECOND)));
        assert_eq!(limits(&off, None).1, now.after(WHOLE));
        assert_eq!(limits(&off, Some(asked)).1, asked.after(WHOLE));
    }

    #[test]
    fn every_turn_has_a_fence_of_its_own_until_there_are_none() {
        let (asked, terms) = (BootTime::now(), terms(true, None));
        let lease = lease_of(asked, SECOND, 2, false);
        let fence = || lease.begin(&terms, None, asked).map(|beginning| beginning.fence);
        assert!(!begins(&lease, &terms, None, asked.after(WHOLE)), "no turn, no fence");
        assert_eq!((fence(), lease.has_fences()), (Some(1), true));
        assert_eq!((fence(), fence(), lease.has_fences()), (Some(2), None, false));
        assert!(!lease.has_fences());
        lease.refill(Fences::new(9, 1));
        assert_eq!((fence(), lease.turns()), (Some(9), 3));
    }
}

mod yielding {
    use super::*;

    const SHARE: Share = Share { turns: true, most_turns: 3, longest: Duration::from_millis(5) };

    fn take_turns(lease: &Lease, count: u32, now: BootTime) {
        for _ in 0..count {
            assert!(begins(lease, &terms(true, None), None, now));
        }
    }

    #[test]
    fn nobody_who_waits_elsewhere_no_yielding() {
        let asked = BootTime::now();
        let lease = lease(asked);
        take_turns(&lease, 10, asked);
        assert_eq!(lease.must_yield(&SHARE, asked.after(UNBROKEN / 2)), Yield::No);
    }

    #[test]
    fn after_so_many_turns_since_somebody_waits() {
        let asked = BootTime::now();
        let lease = lease(asked);
        take_turns(&lease, 10, asked);
        assert!(!lease.is_contended());
        lease.mark_contended(asked);
        assert!(lease.is_contended());
        take_turns(&lease, 2, asked);
        assert_eq!(lease.must_yield(&SHARE, asked), Yield::No);
        take_turns(&lease, 1, asked);
        assert_eq!(lease.must_yield(&SHARE, asked), Yield::ToOthers);
    }

    #[test]
    fn after_so_much_time_since_somebody_waits() {
        let asked = BootTime::now();
        let (lease, wanted) = (lease(asked), asked.after(SECOND / 10));
        lease.mark_contended(wanted);
        lease.mark_contended(wanted.after(SECOND / 10));
        let end = wanted.after(SHARE.longest);
        assert_eq!(lease.must_yield(&SHARE, wanted), Yield::No);
        assert_eq!(lease.must_yield(&SHARE, end), Yield::ToOthers, "since the first of the messages");
    }

    #[test]
    fn who_waits_at_the_grant_counts_from_when_that_is_known() {
        let known = BootTime::now();
        let asked = BootTime::from_bits(known.to_bits() - 100_000_000);
        let lease = lease_of(asked, SECOND, 100, true);
        assert!(lease.is_contended());
        assert_eq!(lease.must_yield(&SHARE, known), Yield::No, "a hand-over may have been asked for long ago");
        take_turns(&lease, 3, asked);
        assert_eq!(lease.must_yield(&SHARE, asked), Yield::ToOthers);
    }

    #[test]
    fn after_a_time_without_a_break_to_anybody() {
        let asked = BootTime::now();
        let lease = lease(asked);
        take_turns(&lease, 1, asked);
        assert_eq!(lease.must_yield(&SHARE, asked.after(UNBROKEN)), Yield::No, "a long turn is passed on once");
        take_turns(&lease, 1, asked);
        assert_eq!(lease.must_yield(&SHARE, asked.after(UNBROKEN)), Yield::ToAnybody);
        lease.mark_contended(asked);
        assert_eq!(lease.must_yield(&SHARE, asked.after(UNBROKEN)), Yield::ToOthers, "those who queue come first");
    }

    #[test]
    fn without_turns_always() {
        let asked = BootTime::now();
        assert_eq!(lease(asked).must_yield(&Share { turns: false, ..SHARE }, asked), Yield::ToOthers);
    }
}

mod terms_of_use {
    use super::*;

    #[test]
    fn a_ttl_that_a_renewal_cannot_keep_up_with_is_named_with_the_round_trip() {
        let millis = Duration::from_millis;
        let lease = lease(BootTime::now()).answered_after(millis(400));
        assert_eq!(lease.why_expired(millis(500)), LostReason::TooSlow { round_trip_ms: 400, ttl_ms: 500 });
        assert_eq!(lease.why_expired(millis(600)), LostReason::Expired, "two thirds of it are enough");
        assert_eq!(super::lease(BootTime::now()).why_expired(millis(1)), LostReason::Expired, "it was handed over");
    }

    #[test]
    fn it_has_fences_until_the_last_is_taken() {
        let lease = lease_of(BootTime::now(), SECOND, 1, false);
        assert!(lease.has_fences());
        assert!(begins(&lease, &terms(true, None), Some(BootTime::now()), BootTime::now()));
        assert!(!lease.has_fences());
        lease.refill(Fences::new(9, 1));
        assert!(lease.has_fences());
    }

    #[test]
    fn it_keeps_its_place_in_the_schedule() {
        let lease = lease(BootTime::now());
        assert_eq!(lease.due(), BootTime::NEVER);
        let due = BootTime::now();
        lease.set_due(due);
        assert_eq!(lease.due(), due);
    }
}
