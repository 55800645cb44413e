//! A lease that becomes shorter for a turn.

use super::*;

const TIMEOUT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(10);

/// A turn on a lease of [`LONG`], and [`SHORT`] that is asked for instead.
async fn shortened(key: &str) -> (Process, Arc<Turn>, Grant) {
    let (process, asked, turn) = scene(key, LONG).await.begin(renewed(LONG));
    let short = Grant { asked, ttl: SHORT };
    assert!(turn.lease.begin_to_shorten(&turn, short, TIMEOUT));
    (process, turn, short)
}

#[tokio::test]
async fn the_deadline_comes_down_before_the_command_is_sent() {
    let (_process, turn, short) = shortened("comes down").await;
    assert_eq!(turn.deadline(), short.deadline());
    turn.end(short.asked);
}

#[tokio::test]
async fn it_never_goes_up_by_that() {
    let (_process, asked, turn) = scene("never up", SHORT).await.begin(renewed(SHORT));
    assert!(turn.lease.begin_to_shorten(&turn, Grant { asked, ttl: LONG }, TIMEOUT));
    assert_eq!(turn.deadline(), Grant { asked, ttl: SHORT }.deadline());
    turn.end(asked);
}

#[tokio::test]
async fn only_the_turn_that_is_under_way_shortens_its_lease() {
    let (process, asked, turn) = scene("under way", LONG).await.begin(renewed(LONG));
    let short = Grant { asked, ttl: SHORT };
    let baton = turn.end(asked).expect("once");
    assert!(!turn.lease.begin_to_shorten(&turn, short, TIMEOUT), "it is over");
    let next = process.begin(baton, renewed(LONG), asked);
    let next = next.unwrap_or_else(|_| panic!("enough is left"));
    assert!(!turn.lease.begin_to_shorten(&turn, short, TIMEOUT), "another counts on the whole lease");
    assert!(next.lease.begin_to_shorten(&next, short, TIMEOUT));
    next.end(asked);
}

#[tokio::test]
async fn until_it_is_answered_no_grant_counts_for_more() {
    let (_process, turn, short) = shortened("until the answer").await;
    assert!(turn.lease.is_too_short_for(LONG) && !turn.lease.is_too_short_for(SHORT));
    let asked = short.asked.after(SECOND);
    turn.extend(Grant { asked, ttl: LONG });
    assert_eq!(turn.deadline(), Grant { asked, ttl: SHORT }.deadline());
    let off = terms(LONG, Renew::Off, None);
    assert!(
        turn.lease.begin(&off, Some(asked), asked).is_none(),
        "a turn that nobody renews needs all that it asked for"
    );
    turn.end(asked);
}

#[tokio::test]
async fn after_the_answer_only_what_was_asked_for_before_it_is_capped() {
    let (_process, turn, short) = shortened("after the answer").await;
    turn.lease.is_shortened();
    let later = BootTime::now().after(Duration::from_nanos(1));
    assert!(!turn.lease.is_too_short_for(LONG));
    turn.extend(Grant { asked: short.asked, ttl: LONG });
    assert_eq!(turn.deadline(), short.deadline(), "it may have been carried out before");
    let long = Grant { asked: later, ttl: LONG };
    turn.extend(long);
    assert_eq!(turn.deadline(), long.deadline());
    turn.end(later);
}

#[tokio::test]
async fn a_second_one_waits_until_the_first_cannot_happen_any_more() {
    let (_process, turn, short) = shortened("second").await;
    let begins = |asked| turn.lease.begin_to_shorten(&turn, Grant { asked, ..short }, TIMEOUT);
    assert!(!begins(short.asked.after(3600 * SECOND)), "there is no answer");
    let before = BootTime::now();
    turn.lease.is_shortened();
    let after = BootTime::now();
    assert!(!begins(before.after(TIMEOUT / 2)), "what was asked for before the answer may be under way");
    assert!(begins(after.after(TIMEOUT)));
    turn.end(after);
}

/// Whatever was answered: the simulation found a task that asked for a longer one and went away, and a release that was given up too soon.
#[tokio::test]
async fn the_store_keeps_the_lock_for_the_longest_ttl_that_was_asked_for_since() {
    let (_process, asked, turn) = scene("longest ttl", SHORT).await.begin(renewed(SHORT));
    turn.lease.note_asked(LONG);
    turn.lease.note_asked(SHORT);
    assert_eq!(turn.lease.ttl(), LONG);
    assert!(turn.lease.begin_to_shorten(&turn, Grant { asked, ttl: SHORT }, TIMEOUT));
    assert_eq!(turn.lease.ttl(), LONG, "it is not answered yet");
    turn.lease.is_shortened();
    assert_eq!(turn.lease.ttl(), SHORT);
    turn.end(asked);
}
