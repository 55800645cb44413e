//! The judge must be able to say no: each way to do it wrong is caught within a few worlds, by the rule that is there for it.

use dlock_simulation::{Kind, Options, Rule, Weakness, run};

/// Looks at world after world until the judge, who looks at nothing else, sees the rule broken.
#[track_caller]
fn is_caught(weakness: Weakness, rule: Rule, kind: Kind, within: u64) {
    let mut weakened = 0;
    let found = (1..=within).find_map(|seed| {
        let options = Options { seed, acquisitions: 1_000, kind: Some(kind), only: Some(rule), ..Options::default() };
        let report = run(&Options { weakness: Some(weakness), ..options });
        weakened += report.weakened;
        report.violation.map(|violation| (seed, violation))
    });
    assert!(weakened > 0 || !weakness.is_of_a_script(), "{weakness:?}: no script says any more what it leaves out");
    let Some((seed, violation)) = found else { panic!("{weakness:?} went unnoticed in {within} worlds") };
    println!("{weakness:?}: seed {seed}: {violation:?}");
}

macro_rules! caught {
    ($($(#[$meta:meta])+ $name:ident: $weakness:ident by $rule:ident in $kind:ident within $within:literal;)+) => {
        $(
            $(#[$meta])+
            #[test]
            fn $name() {
                is_caught(Weakness::$weakness, Rule::$rule, Kind::$kind, $within);
            }
        )+

        #[test]
        fn each_weakness_has_its_test() {
            let tested = [$(Weakness::$weakness),+];
            let missing = Weakness::ALL.iter().filter(|weakness| !tested.contains(weakness)).collect::<Vec<_>>();
            assert!(missing.is_empty() && tested.len() >= 20, "{missing:?}");
        }
    };
}

caught! {
    /// A release deletes whatever is there.
    a_release_without_a_token_check: ReleaseWithoutToken by OwnToken in Busy within 20;
    /// A renewal renews whatever is there.
    a_renewal_without_a_token_check: RenewWithoutToken by OwnToken in Busy within 20;
    /// The lock is handed to waiters who are not there to hear of it.
    a_hand_over_to_the_dead: HandOverToTheDead by Listening in Replicas within 50;
    /// The lock is handed to who came last.
    a_queue_that_is_served_from_its_end: LastComesFirst by Order in Busy within 20;
    /// Fences are reserved that nobody will use.
    a_block_of_fences_that_is_much_too_large: BlockTooLarge by Ahead in Hot within 50;
    /// More fences are reserved, and the lock does not say so.
    a_block_of_fences_that_the_lock_does_not_say: RefillUnsaid by Returned in Hot within 100;
    /// Who waits marks the lock of a client of another kind, too.
    a_mark_on_the_value_of_another_client: ForeignMarked by OwnToken in Foreign within 100;
    /// A fence counts on from what the server has alone.
    a_fence_without_a_time_floor: FenceWithoutTimeFloor by Fences in Disaster within 100;
    /// The lock is set, whether it is there or not.
    an_acquire_without_nx: AcquireWithoutNx by Exclusion in Busy within 20;
    /// A hand-over is published before it is done and called back if nobody here heard of it: a subscriber of a replica hears
    /// of it all the same.
    a_grant_that_is_heard_through_a_replica: PublishedFirst by Covered in Replicas within 200;
    /// An answer that does not say when the lock was given away last counts as if it did.
    an_answer_without_a_floor_that_counts: FloorUnknown by Covered in Storm within 400;
    /// Every renewal may shorten a lease, while its holder goes on to trust the old deadline.
    a_renewal_that_shortens: RenewalShortens by Covered in Busy within 20;
    /// Asked again with the token that holds, the store says that the lock is taken.
    a_repeated_request_that_is_refused: RepeatedAcquireIsRefused by Orphan in Storm within 200;
    /// A lock that was handed over has no TTL.
    a_lock_without_a_ttl: LockWithoutTtl by Covered in Busy within 200;
    /// A helper key of another type stays as it is.
    a_helper_key_that_is_not_mended: NothingMended by Script in Server within 20;
    /// Who looks at a lock that somebody waits for is told that it is free.
    a_look_at_a_lock_that_sees_nothing: MarkedSeemsFree by Inspected in Busy within 20;
    /// A lock that is given to who waits is kept if nobody is left.
    a_lock_that_is_given_to_nobody_and_kept: GivenToNobodyIsKept by Orphan in Storm within 100;
    /// Leases end a tenth early.
    leases_that_end_early: LeasesEndEarly by Covered in Busy within 20;
    /// Some releases are answered and not carried out.
    a_release_that_is_swallowed: ReleaseSwallowed by Orphan in Busy within 50;
    /// A shortening is carried out again after it was answered.
    a_shortening_that_is_carried_out_twice: ShorteningResent by Covered in Replicas within 200;
    /// Whoever subscribes gets no answer.
    a_subscription_that_is_swallowed: SubscribeSwallowed by Deaf in Busy within 20;
    /// A message about a lease is believed however old it is.
    a_stale_hand_over_that_is_believed: StaleHandOver by Covered in Storm within 200;
    /// The server loses its data, which is excused otherwise.
    a_loss_of_data: DisasterDenied by Exclusion in Disaster within 200;
    /// Clocks are 6% slow.
    a_clock_that_is_slow: SlowClock by Covered in Busy within 20;
    /// A clock stands still while its process is stopped.
    a_clock_that_stops: ClockStops by Covered in Storm within 100;
    /// All processes have the same identity.
    identities_that_are_not_random: SameIdentity by Exclusion in Busy within 20;
    /// An acquire is dropped after the keeper finished it, and what it came to is lost.
    an_acquire_that_is_dropped_after_the_keeper_finished_it: JobOutputLost by Orphan in Busy within 400;
    /// The keeper loses some of its jobs.
    jobs_that_are_dropped: JobsDropped by Rest in Busy within 50;
}
