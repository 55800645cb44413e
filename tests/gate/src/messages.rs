//! Messages of the store, at any moment.

use super::*;

/// The store hands the lock to a request, which is or was ours.
fn hand_over(world: &World, pending: &PendingRequest) {
    assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it is ours");
}

/// From when a request is put until its lease is given back, and a while after, a hand-over is known to be ours. That
/// somebody waits is known of the lease, whenever it was said.
pub(super) fn of_the_head(world: &World) {
    let mut baton = world.head();
    let pending = world.ask(&mut baton);
    world.queues.notify_free(&pending.command.lock_id);
    assert!(!pending.has_no_news(), "a message is for whoever asks");
    thread::scope(|scope| {
        scope.spawn(|| hand_over(world, &pending));
        scope.spawn(|| world.say_contended(&pending.command.lock_id));
        world.take(&mut baton);
    });
    hand_over(world, &pending);
    let lease = baton.remove_lease().expect("there is one");
    world.spoil("a_lease_that_is_over_stays_in_its_queue", &world.name, |queue| queue.lease = Some(Arc::clone(&lease)));
    assert!(lease.is_contended(), "a message is lost");
    assert!(world.queues.shard(&world.name).queues.values().all(|queue| queue.lease.is_none()), "it is over");
    world.release([lease]);
    hand_over(world, &pending);
    world.pass_on(baton);
}

/// Whoever asks goes away, and the next one goes on with its request. It hears of a hand-over, whenever that is told.
pub(super) fn of_the_next(world: &World) {
    let mut baton = world.head();
    let pending = world.ask(&mut baton);
    let mut waiter = world.queued(BootTime::NEVER);
    thread::scope(|scope| {
        scope.spawn(|| drop(baton));
        scope.spawn(|| hand_over(world, &pending));
        let WaitEnd::Baton(mut baton) = block_on(waiter.wait()) else { panic!("its turn comes") };
        assert!(baton.pending().is_some_and(|known| Arc::ptr_eq(known, &pending)), "it goes on");
        // One that goes away as soon as it has looked takes nothing along.
        wait(pending.news(), Some(1));
        while pending.take_hand_over().is_none() {
            block_on(pending.news());
        }
        world.take(&mut baton);
        world.pass_on(baton);
    });
}
