//! What the store says unasked.

use super::*;

#[test]
fn a_message_finds_a_pending_request_and_a_lease_granted_by_a_reply() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    let granted = |ticket: &Ticket| scene.queues.notify_hand_over(ticket, 5, 0, 9);
    assert!(!granted(&pending.claim.ticket), "nobody asks");
    baton.set_pending(Arc::clone(&pending));
    pending.record_sent(Moment::now());
    assert!(granted(&pending.claim.ticket) && !granted(&scene.pending(1).claim.ticket));
    assert_eq!(pending.take_hand_over().map(|grant| grant.fence), Some(5));
    scene.queues.notify_free(&scene.pending(1).claim.ticket);
    assert!(!pending.take_free_notice(), "that was for another");
    scene.queues.notify_free(&pending.claim.ticket);
    assert!(pending.take_free_notice());
    pending.record_busy(Moment::now(), 1);
    baton.set_lease(lease_of(&pending));
    assert!(granted(&pending.claim.ticket), "it is in use");
}

#[test]
fn a_lease_in_use_is_known_however_many_were_granted_since() {
    let scene = scene(Rules::default());
    let take = |scene: &Scene, number| {
        let (mut baton, pending) = (scene.head(), scene.pending(number));
        baton.set_pending(Arc::clone(&pending));
        pending.record_busy(Moment::now(), 1);
        baton.set_lease(lease_of(&pending));
        (baton, pending.claim.ticket.clone())
    };
    let (baton, ticket) = take(&scene, 0);
    let others = (1..=REMEMBERED_LEASES as u64).map(|number| {
        let name = format!("other {number}").into();
        take(&Scene { name, queues: Arc::clone(&scene.queues), ..self::scene(Rules::default()) }, number)
    });
    let others = others.collect::<Vec<_>>();
    assert!(scene.queues.notify_hand_over(&ticket, 5, 0, 9), "it is in use");
    drop(baton);
    assert!(!scene.queues.notify_hand_over(&ticket, 5, 0, 9), "it is over for long");
    let (last, ticket) = &others[REMEMBERED_LEASES - 1];
    assert!(last.lease().is_some() && scene.queues.notify_hand_over(ticket, 5, 0, 9));
}

#[test]
fn a_lease_is_contended_though_the_message_came_before_the_reply() {
    let scene = scene(Rules::default());
    let (mut baton, pending) = (scene.head(), scene.pending(1));
    baton.set_pending(Arc::clone(&pending));
    assert!(scene.queues.notify_contended(&pending.claim.ticket, Moment::now()).is_none());
    let lease = lease_of(&pending);
    baton.set_lease(Arc::clone(&lease));
    assert!(lease.is_contended());
}
