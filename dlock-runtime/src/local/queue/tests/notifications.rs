//! What the store says unasked.

use super::*;

#[test]
fn a_message_finds_a_pending_request_and_a_lease_granted_by_a_reply() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    let granted = |lock_id: &LockId| scene.queues.notify_hand_over(lock_id, 5, 0);
    assert!(!granted(&pending.command.lock_id), "nobody asks");
    baton.set_pending(Arc::clone(&pending));
    pending.record_sent(BootTime::now());
    assert!(granted(&pending.command.lock_id) && !granted(&scene.pending(1).command.lock_id));
    assert_eq!(pending.take_hand_over().map(|grant| grant.fence), Some(5));
    scene.queues.notify_free(&scene.pending(1).command.lock_id);
    assert!(!pending.take_free_notice(), "that was for another");
    scene.queues.notify_free(&pending.command.lock_id);
    assert!(pending.take_free_notice());
    pending.record_busy(BootTime::now(), 1);
    baton.set_lease(lease_of(&pending));
    assert!(granted(&pending.command.lock_id), "it is in use");
}

#[test]
fn a_lease_in_use_is_known_however_many_were_granted_since() {
    let scene = scene(Rules::default());
    let take = |scene: &Scene, number| {
        let (mut baton, pending) = (scene.head(), scene.pending(number));
        baton.set_pending(Arc::clone(&pending));
        pending.record_busy(BootTime::now(), 1);
        baton.set_lease(lease_of(&pending));
        (baton, pending.command.lock_id.clone())
    };
    let (baton, lock_id) = take(&scene, 0);
    let others = (1..=REMEMBERED_LEASES as u64).map(|number| {
        let name = format!("other {number}").into();
        take(&Scene { name, queues: Arc::clone(&scene.queues), ..self::scene(Rules::default()) }, number)
    });
    let others = others.collect::<Vec<_>>();
    assert!(scene.queues.notify_hand_over(&lock_id, 5, 0), "it is in use");
    drop(baton);
    assert!(!scene.queues.notify_hand_over(&lock_id, 5, 0), "it is over for long");
    let (last, lock_id) = &others[REMEMBERED_LEASES - 1];
    assert!(last.lease().is_some() && scene.queues.notify_hand_over(lock_id, 5, 0));
}

#[test]
fn a_lease_is_contended_though_the_message_came_before_the_reply() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    baton.set_pending(Arc::clone(&pending));
    assert!(scene.queues.notify_contended(&pending.command.lock_id, BootTime::now()).is_none());
    let lease = lease_of(&pending);
    baton.set_lease(Arc::clone(&lease));
    assert!(lease.is_contended());
}

#[test]
fn a_lease_that_was_given_back_is_known_until_many_others_were() {
    let scene = scene(Rules::default());
    let take_and_give_back = |number| {
        let (mut baton, pending) = (scene.head(), scene.pending(number));
        baton.set_pending(Arc::clone(&pending));
        pending.record_busy(BootTime::now(), 1);
        baton.set_lease(lease_of(&pending));
        drop(baton);
        pending.command.lock_id.clone()
    };
    let is_known = |lock_id: &LockId| scene.queues.notify_hand_over(lock_id, 5, 0);
    let first = take_and_give_back(0);
    assert!(is_known(&first), "its message may come late");
    for number in 1..REMEMBERED_LEASES as u64 {
        take_and_give_back(number);
    }
    assert!(is_known(&first), "not so many were given back since");
    take_and_give_back(u64::MAX);
    assert!(!is_known(&first));
}

/// Found by the simulation: a command that was carried out late queued again, and what it was granted was taken for the lease before.
#[test]
fn a_second_lease_of_a_request_that_is_over_is_not_taken_for_the_first() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    baton.set_pending(Arc::clone(&pending));
    pending.record_busy(BootTime::now(), 1);
    let lease = lease_of(&pending);
    let end = lease.end_of_fences().expect("it has fences");
    baton.set_lease(lease);
    drop(baton);
    let lock_id = &pending.command.lock_id;
    assert!(scene.queues.notify_hand_over(lock_id, end - 1, 0) && !scene.queues.notify_hand_over(lock_id, end, 0));
}

/// The same without fences, by which the two could be told apart: found by the simulation, too.
#[test]
fn a_lease_without_fences_is_known_until_its_release_is_answered() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    baton.set_pending(Arc::clone(&pending));
    pending.record_busy(BootTime::now(), 1);
    let (lock_id, grant) = (&pending.command.lock_id, Grant { asked: BootTime::now(), ttl: pending.command.ttl });
    baton.set_lease(Arc::new(Lease::new(lock_id.clone(), "k", Fences::new(0, 0), grant, false, Origin::default())));
    let is_known = || scene.queues.notify_hand_over(lock_id, 7, 0);
    assert!(is_known());
    drop(baton);
    assert!(is_known(), "its message may come late");
    scene.queues.forget_lease(lock_id.token.number);
    assert!(!is_known(), "it was handed the lock again");
}

#[tokio::test(start_paused = true)]
async fn where_messages_may_have_been_missed_every_pending_request_looks_again() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    baton.set_pending(Arc::clone(&pending));
    let has_waited = async || tokio::time::timeout(SECOND, pending.news()).await.is_err();
    assert!(has_waited().await);
    scene.queues.recheck_all();
    assert!(!has_waited().await);
}
