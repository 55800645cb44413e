//! Leases that are passed on, or parked while nobody uses them.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lease_goes_from_task_to_task_until_another_client_waits() {
    let scene = scene(Rules { share: Share { longest: Duration::ZERO, ..Share::default() }, ..Rules::default() });
    let (baton, lease) = scene.head_with_lease(1);
    let mut waiters = [(); 2].map(|()| scene.queue(BootTime::NEVER));
    assert!(baton.pass_on(BootTime::now()).is_none(), "it goes on");
    let baton = now(&mut waiters[0]).await.flatten().expect("its turn comes");
    assert!(baton.lease().is_some_and(|known| Arc::ptr_eq(known, &lease)));
    assert!(scene.queues.notify_contended(&lease.lock_id, BootTime::now()).is_none(), "it is in use");
    assert_eq!(baton.pass_on(BootTime::now()).as_ref().map(number), Some(1), "somebody else is served first");
    let baton = now(&mut waiters[1]).await.flatten().expect("its turn comes");
    assert!(baton.lease().is_none() && !baton.frees_lock_first);
}

#[tokio::test(start_paused = true)]
async fn after_a_second_without_a_break_the_lock_goes_free_for_a_moment() {
    let scene = scene(Rules::default());
    let (baton, lease) = scene.head_with_lease(1);
    let (mut next, mut last) = (scene.queue(BootTime::NEVER), scene.queue(BootTime::NEVER));
    let terms = Overrides::default().resolve(&Defaults::default()).expect("valid");
    let turn = |lease: &Lease| lease.begin(&terms, None, lease.taken);
    assert!(turn(&lease).is_some());
    assert!(baton.pass_on(lease.taken.after(SECOND)).is_none(), "the first turn is passed on, however long it took");
    let baton = now(&mut next).await.flatten().expect("its turn comes");
    assert!(turn(&lease).is_some());
    assert_eq!(baton.pass_on(lease.taken.after(SECOND)).as_ref().map(number), Some(1));
    assert!(now(&mut last).await.flatten().expect("its turn comes").frees_lock_first);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_over_is_not_passed_on() {
    let scene = scene(lingering());
    let (baton, lease) = scene.head_with_lease(1);
    let mut next = scene.queue(BootTime::NEVER);
    lease.lose(crate::types::error::LostReason::Gone);
    assert_eq!(baton.pass_on(BootTime::now()).as_ref().map(number), Some(1));
    assert!(now(&mut next).await.flatten().expect("its turn comes").lease().is_none());
}

#[test]
fn an_idle_lease_is_kept_and_used_again() {
    let scene = scene(lingering());
    let ((baton, lease), start) = (scene.head_with_lease(1), BootTime::now());
    assert!(baton.pass_on(start).is_none());
    assert_eq!(scene.queues.parked_until(&lease), Some(start.after(SECOND)));
    let baton = scene.queues.enter_if_idle(&scene.name).expect("nobody is there");
    assert!(baton.lease().is_some_and(|known| Arc::ptr_eq(known, &lease)));
    assert_eq!(scene.queues.parked_until(&lease), None);
    assert!(scene.queues.unpark(&lease).is_none(), "it is in use");
    drop(baton);
    assert!(scene.queues.unpark(&lease).is_some());
    assert!(scene.queues.unpark(&lease).is_none(), "once");
    assert!(scene.is_empty());
}

#[test]
fn an_idle_lease_is_released_when_another_client_waits() {
    let scene = scene(lingering());
    let (baton, lease) = scene.head_with_lease(1);
    assert!(baton.pass_on(BootTime::now()).is_none());
    assert!(
        scene.queues.notify_contended(&scene.pending(1).command.lock_id, BootTime::now()).is_none(),
        "that is another's"
    );
    assert!(scene.queues.notify_contended(&lease.lock_id, BootTime::now()).is_some());
    let (baton, lease) = scene.head_with_lease(2);
    assert!(scene.queues.notify_contended(&lease.lock_id, BootTime::now()).is_none(), "it is in use");
    assert_eq!(baton.pass_on(BootTime::now()).as_ref().map(number), Some(2), "it is not kept");
    assert!(scene.is_empty());
}

#[test]
fn without_linger_nothing_is_kept() {
    let scene = scene(Rules::default());
    let (baton, _) = scene.head_with_lease(1);
    assert_eq!(baton.pass_on(BootTime::now()).as_ref().map(number), Some(1));
    assert!(scene.is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_nobody_waits_and_nothing_is_parked() {
    let scene = scene(lingering());
    let (baton, _) = scene.head_with_lease(1);
    let mut waiter = scene.queue(BootTime::NEVER);
    assert!(scene.queues.close().is_empty(), "it is in use");
    assert!(now(&mut waiter).await.is_some_and(|baton| baton.is_none()), "it is sent away");
    drop(waiter);
    assert!(scene.head().lease().is_none(), "who comes is let through, to be refused");
    assert_eq!(baton.pass_on(BootTime::now()).as_ref().map(number), Some(1));
    assert!(scene.is_empty());
}

#[test]
fn a_shutdown_takes_out_what_is_parked() {
    let scene = scene(lingering());
    let (baton, _) = scene.head_with_lease(1);
    assert!(baton.pass_on(BootTime::now()).is_none());
    assert_eq!(scene.queues.close().iter().map(|lease| lease.id()).collect::<Vec<_>>(), [1]);
    assert!(scene.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_deadline_is_now_is_not_passed_on() {
    let scene = scene(Rules::default());
    let (baton, lease) = scene.head_with_lease(1);
    let mut next = scene.queue(BootTime::NEVER);
    assert_eq!(baton.pass_on(lease.deadline()).as_ref().map(number), Some(1));
    assert!(now(&mut next).await.flatten().expect("its turn comes").lease().is_none());
}

#[test]
fn a_lease_is_parked_for_as_long_as_the_rules_say_and_is_told_from_another() {
    let scene = scene(lingering());
    assert_eq!(scene.queues.linger(), SECOND);
    let (baton, lease) = scene.head_with_lease(1);
    assert!(baton.pass_on(BootTime::now()).is_none());
    let another = lease_of(&scene.pending(2));
    assert!(scene.queues.parked_until(&another).is_none() && scene.queues.unpark(&another).is_none());
    assert!(scene.queues.unpark(&lease).is_some());
}
