mod shortening;

use std::{sync::atomic::AtomicBool, task::Wake};

use super::*;
use crate::{
    Runtime,
    local::{lease::Origin, queue::Entered, reentry},
    protocol::fences::Fences,
    types::options::{Defaults, MaxHold, Overrides, Renew},
};

const SECOND: Duration = Duration::from_secs(1);
const WHOLE: Duration = Duration::from_millis(988);

/// A process whose keeper has nothing to do: in these tests no deadline comes near.
struct Process(Runtime);

/// A baton with a lease that was asked for at some moment.
struct Scene {
    process: Process,
    asked: BootTime,
    baton: Baton,
}

async fn scene(key: &str, ttl: Duration) -> Scene {
    let process = Process(Runtime::builder().embedded().namespace("turn").build().await.expect("it takes no store"));
    let name = Arc::from(key);
    let Entered::Head(mut baton) = process.queues().enter(&name, BootTime::NEVER) else { panic!("nobody is there") };
    let asked = BootTime::now();
    let (lock_id, fences) = (process.0.0.next_lock_id(&name), Fences::new(1, 100));
    let lease = Arc::new(Lease::new(lock_id, "k", fences, Grant { asked, ttl }, false, Origin::default()));
    baton.set_lease(lease);
    Scene { process, asked, baton }
}

impl Process {
    fn queues(&self) -> &Arc<crate::local::queue::LocalQueues> {
        &self.0.0.keeper.state().queues
    }

    /// Begins a turn on the lease of `baton`, if that has enough left.
    fn begin(&self, baton: Baton, terms: Terms, now: BootTime) -> Result<Arc<Turn>, Baton> {
        let host: Arc<dyn Host> = Arc::clone(&self.0.0) as _;
        let Some(opening) = Opening::of(&baton, &terms, None, now) else { return Err(baton) };
        let taker = Taker { host: Obligation::of(host), key: "k".into(), purpose: "", terms };
        Ok(Turn::begin(baton, opening, taker, now))
    }
}

impl Scene {
    fn begin(self, terms: Terms) -> (Process, BootTime, Arc<Turn>) {
        let now = self.asked;
        self.begin_at(now, terms)
    }

    /// Begins a turn that is shorter than the lease. It is not yet time to shorten that.
    fn begin_later(self, terms: Terms) -> (Process, BootTime, Arc<Turn>) {
        let now = self.asked.after(5 * SECOND);
        self.begin_at(now, terms)
    }

    fn begin_at(self, now: BootTime, terms: Terms) -> (Process, BootTime, Arc<Turn>) {
        let Self { process, baton, .. } = self;
        let turn = process.begin(baton, terms, now);
        (process, now, turn.unwrap_or_else(|_| panic!("enough is left")))
    }
}

fn terms(ttl: Duration, renew: Renew, max_hold: Option<Duration>) -> Terms {
    let bound = max_hold.map_or(MaxHold::Unbounded, MaxHold::For);
    let max_hold = (renew != Renew::Off || max_hold.is_some()).then_some(bound);
    let overrides = Overrides { ttl: Some(ttl), renew: Some(renew), max_hold, ..Overrides::default() };
    overrides.resolve(&Defaults::default()).expect("valid")
}

fn renewed(ttl: Duration) -> Terms {
    terms(ttl, Renew::Auto, None)
}

#[tokio::test]
async fn a_turn_that_is_renewed_lasts_as_long_as_its_lease() {
    let (_process, asked, turn) = scene("lasts", 30 * SECOND).await.begin(renewed(30 * SECOND));
    assert_eq!(turn.deadline(), turn.lease.deadline());
    turn.extend(Grant { asked: asked.after(SECOND), ttl: 30 * SECOND });
    assert_eq!(turn.deadline(), turn.lease.deadline());
    assert!(turn.is_held_at(asked.after(30 * SECOND)));
    let deadline = turn.lease.deadline();
    assert!(turn.lease.is_in_use(asked) && !turn.lease.is_in_use(deadline), "before it, and not at it");
    let lease = Arc::clone(&turn.lease);
    turn.end(asked);
    assert!(!lease.is_in_use(asked), "no turn is on it");
}

#[tokio::test]
async fn a_turn_that_is_not_renewed_ends_with_its_own_ttl() {
    let terms = terms(10 * SECOND, Renew::Off, None);
    let (_process, asked, turn) = scene("own ttl", 30 * SECOND).await.begin_later(terms);
    let whole = 10 * WHOLE + Duration::from_millis(18);
    assert_eq!(turn.deadline(), asked.after(whole));
    turn.lease.extend(Grant { asked: asked.after(SECOND), ttl: 30 * SECOND });
    assert_eq!(turn.deadline(), asked.after(whole), "that was not for this turn");
    turn.extend(Grant { asked: asked.after(SECOND), ttl: 10 * SECOND });
    turn.extend(Grant { asked, ttl: 10 * SECOND });
    assert_eq!(turn.deadline(), asked.after(SECOND + whole), "it moves forward only");
    assert!(!turn.can_gain());
    turn.end(asked);
}

#[tokio::test]
async fn renewal_never_moves_the_deadline_past_max_hold() {
    for renew in [Renew::Auto, Renew::Off] {
        let terms = terms(10 * SECOND, renew, Some(9 * SECOND));
        let (_process, asked, turn) = scene("max_hold", 30 * SECOND).await.begin_later(terms);
        let end = asked.after(9 * SECOND);
        turn.extend(Grant { asked: asked.after(SECOND), ttl: 30 * SECOND });
        assert_eq!(turn.deadline(), end);
        assert!(!turn.can_gain(), "there is no room");
        assert!(!turn.is_held_at(end));
        assert!(matches!(turn.ensure_held(), Err(LockError::Lost { reason: LostReason::MaxHold, .. })));
        turn.end(asked);
    }
}

#[tokio::test]
async fn near_the_end_the_store_is_asked_for_little_more() {
    let terms = terms(10 * SECOND, Renew::Auto, Some(60 * SECOND));
    let (_process, asked, turn) = scene("near the end", 10 * SECOND).await.begin(terms);
    assert!(turn.can_gain());
    assert_eq!(turn.renewal_ttl(asked), 10 * SECOND);
    let late = asked.after(58 * SECOND);
    assert_eq!(turn.renewal_ttl(late), Duration::from_millis(2102));
    turn.end(asked);
}

#[tokio::test]
async fn past_its_deadline_a_turn_is_lost_whatever_the_store_says_later() {
    let (_process, asked, turn) = scene("past it", 30 * SECOND).await.begin(renewed(30 * SECOND));
    assert!(turn.is_held());
    assert!(!turn.is_held_at(asked.after(30 * SECOND)));
    turn.extend(Grant { asked: BootTime::now(), ttl: 30 * SECOND });
    assert!(!turn.is_held());
    assert!(matches!(turn.ensure_held(), Err(LockError::Lost { reason: LostReason::Expired, fence: 1, .. })));
    turn.end(asked);
}

#[tokio::test]
async fn the_first_reason_of_a_loss_stays() {
    let (_process, asked, turn) = scene("first reason", 30 * SECOND).await.begin(renewed(30 * SECOND));
    turn.lease.lose(LostReason::Gone);
    turn.lose(LostReason::Expired);
    assert!(!turn.is_held());
    assert!(matches!(turn.loss(), LockError::Lost { reason: LostReason::Gone, .. }));
    turn.end(asked);
}

#[tokio::test]
async fn a_loss_wakes_the_bodies_once_each() {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            assert!(!self.0.swap(true, Ordering::SeqCst), "it was woken before");
        }
    }
    let (_process, asked, turn) = scene("wakes", 30 * SECOND).await.begin(renewed(30 * SECOND));
    let bodies = [(); 2].map(|()| Arc::new(Flag(AtomicBool::new(false))));
    for body in &bodies {
        let mut watch = Watch::default();
        turn.watch(&mut watch, &Waker::from(Arc::clone(body)));
        turn.watch(&mut watch, &Waker::from(Arc::clone(body)));
    }
    turn.lease.lose(LostReason::Gone);
    assert!(bodies.iter().all(|body| body.0.load(Ordering::SeqCst)));
    turn.end(asked);
}

#[tokio::test]
async fn bodies_that_ran_one_after_another_are_forgotten() {
    let runtime = Runtime::builder().embedded().namespace("bodies").build().await.expect("it takes no store");
    let guard = Arc::new(runtime.lock("k").acquire().await.expect("free"));
    for _ in 0..10_000 {
        let shared = Arc::clone(&guard);
        let ran = tokio::spawn(async move { shared.run(tokio::task::yield_now()).await });
        ran.await.expect("no panic").expect("held");
    }
    let turn = guard.run(async { reentry::find(runtime.0.identity, "bodies:k") }).await.expect("held");
    let bodies = &turn.as_ref().expect("it runs under one").bodies;
    assert_eq!(bodies.count(), (0, 1));
    // One that is dropped before its end, and one that stays where it is after its end.
    let mut dropped = Box::pin(guard.run(std::future::pending::<()>()));
    let mut over = Box::pin(guard.run(tokio::task::yield_now()));
    std::future::poll_fn(|cx| {
        assert!(dropped.as_mut().poll(cx).is_pending() && over.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    assert_eq!(bodies.count(), (2, 2));
    over.as_mut().await.expect("held");
    drop(dropped);
    assert_eq!(bodies.count(), (0, 2));
}

#[tokio::test]
async fn what_was_given_back_is_not_lost() {
    let (_process, asked, turn) = scene("not lost", 30 * SECOND).await.begin(renewed(30 * SECOND));
    let baton = turn.end(asked).expect("once");
    assert!(turn.end(asked).is_none(), "the baton is given out once");
    assert!(!turn.is_held() && turn.lost.get().is_none());
    assert!(turn.lease.turn().is_none());
    baton.lease().expect("it goes on").lose(LostReason::Gone);
    assert!(turn.lost.get().is_none(), "that is another's loss");
}

#[tokio::test]
async fn the_next_turn_is_on_the_same_lease_with_a_fence_of_its_own() {
    let (process, asked, turn) = scene("next", 30 * SECOND).await.begin(renewed(30 * SECOND));
    let baton = turn.end(asked).expect("once");
    let next = process.begin(baton, renewed(30 * SECOND), asked);
    let next = next.unwrap_or_else(|_| panic!("enough is left"));
    assert!(Arc::ptr_eq(&next.lease, &turn.lease));
    assert_eq!((turn.fence(), next.fence()), (1, 2));
    assert!(!turn.is_held() && next.is_held());
    next.end(asked);
}

#[tokio::test]
async fn no_turn_begins_without_a_lease_that_lasts_long_enough() {
    let Scene { process, asked, mut baton } = scene("too short", 10 * SECOND).await;
    let Err(back) = process.begin(baton, renewed(30 * SECOND), asked) else {
        panic!("a third of its ttl is too little")
    };
    baton = back;
    assert!(baton.remove_lease().is_some());
    let Err(baton) = process.begin(baton, renewed(30 * SECOND), asked) else { panic!("there is no lease") };
    assert!(baton.pass_on(asked).is_none());
}

#[tokio::test]
async fn the_keeper_is_due_for_renewal_or_to_make_the_lease_shorter() {
    let (_process, asked, turn) = scene("renewal", 30 * SECOND).await.begin(renewed(30 * SECOND));
    assert_eq!(turn.due(asked), asked.after(10 * SECOND));
    turn.extend(Grant { asked: asked.after(SECOND), ttl: 30 * SECOND });
    assert_eq!(turn.due(asked.after(SECOND)), asked.after(11 * SECOND));
    turn.end(asked);

    let (_process, asked, turn) = scene("shorter", 60 * SECOND).await.begin_later(renewed(30 * SECOND));
    assert!(turn.is_short_of_its_lease(asked));
    assert_eq!(turn.due(asked), asked.after(SLACK));
    turn.end(asked);

    let (_process, asked, turn) = scene("longer", 20 * SECOND).await.begin(renewed(30 * SECOND));
    let span = turn.lease.deadline().since(asked);
    assert_eq!(turn.due(asked), asked.after(10 * SECOND.min(span)), "the lease is shorter than the turn would have it");
    turn.end(asked);

    let (_process, asked, turn) = scene("off", 10 * SECOND).await.begin(terms(10 * SECOND, Renew::Off, None));
    assert_eq!(turn.due(asked), turn.deadline());
    turn.end(asked);
}

#[tokio::test]
async fn the_last_user_ends_it_and_nobody_joins_after_that() {
    let (_process, asked, turn) = scene("users", 30 * SECOND).await.begin(renewed(30 * SECOND));
    assert!(turn.join());
    assert!(!turn.leave());
    assert!(turn.leave());
    assert!(!turn.join());
    turn.end(asked);
}

#[tokio::test]
async fn who_asks_for_a_fence_first_gives_it_to_all_users() {
    let terms = Terms { fenced: false, ..renewed(30 * SECOND) };
    let (_process, asked, turn) = scene("late fence", 30 * SECOND).await.begin(terms);
    assert_eq!(turn.fence(), 0, "nobody asked for one");
    for fence in [7, 8] {
        turn.set_fence(fence);
        assert_eq!(turn.fence(), 7);
    }
    turn.end(asked);
}

#[tokio::test]
async fn how_a_turn_ended_is_reported_once() {
    let reported = |turn: &Turn| turn.reported.load(Ordering::Relaxed);
    let (_process, asked, turn) = scene("lost", 30 * SECOND).await.begin(renewed(30 * SECOND));
    turn.lose(LostReason::Gone);
    assert_eq!(reported(&turn), LOST);
    assert!(!turn.is_first_report(RELEASED, END), "it was lost");
    turn.end(asked);

    let (_process, asked, turn) = scene("released", 30 * SECOND).await.begin(renewed(30 * SECOND));
    assert!(turn.is_refused_first() && !turn.is_refused_first());
    turn.released(asked);
    assert_eq!(reported(&turn), RELEASED | REFUSED);
    assert!(!turn.is_first_report(LOST, END), "it was released");
    turn.end(asked);
}

#[tokio::test]
async fn the_keeper_is_not_called_for_a_long_hold_before_it_would_look_anyway() {
    // Renewed every ten seconds: the keeper looks far more often than once a minute.
    let renewed = terms(30 * SECOND, Renew::Auto, None);
    let (_process, asked, turn) = scene("long:renewed", 30 * SECOND).await.begin(renewed);
    assert_eq!(turn.due(asked), turn.work_due(asked));
    turn.look_how_long(asked.after(59 * SECOND));
    assert_eq!(turn.reported.load(Ordering::Relaxed) & LONG, 0, "it is not long yet");

    // Never renewed: it is looked at once on the way.
    let (_process, asked, turn) = scene("long:not", 300 * SECOND).await.begin(terms(300 * SECOND, Renew::Off, None));
    assert_eq!(turn.due(asked), asked.after(60 * SECOND));
    turn.look_how_long(asked.after(60 * SECOND));
    assert_eq!(turn.due(asked.after(60 * SECOND)), turn.work_due(asked), "that was reported");
}
