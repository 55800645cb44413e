//! Messages of the store, at any moment.

use std::{future::poll_fn, task::Poll};

use shuttle::{future::block_on, thread};

use super::world::{World, rules, wait};
use crate::{local::pending::PendingRequest, sync::Arc, types::boot_time::BootTime};

/// The store hands the lock to a request, which is or was ours.
fn hand_over(world: &World, pending: &PendingRequest) {
    assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it is ours");
}

/// From when a request is put until its lease is given back, and a while after, a hand-over is known to be ours. That
/// somebody waits is known of the lease, whenever it was said.
pub(super) fn of_the_head() {
    let world = World::new(rules());
    let mut baton = world.head();
    let pending = world.ask(&mut baton);
    world.queues.notify_free(&pending.command.lock_id);
    assert!(!pending.has_no_news(), "a message is for whoever asks");
    thread::scope(|scope| {
        scope.spawn(|| hand_over(&world, &pending));
        scope.spawn(|| world.say_contended(&pending.command.lock_id));
        world.take(&mut baton);
    });
    hand_over(&world, &pending);
    let lease = world.remove_lease(&mut baton);
    assert!(lease.is_contended(), "a message is lost");
    let is_known = |queue: &super::super::LocalQueue| queue.has(&lease);
    assert!(world.queues.held_here(&world.name, BootTime::now()).is_none(), "it is over");
    assert!(!world.queues.shard(&world.name).queues.get(&world.name).is_some_and(is_known), "it is over");
    hand_over(&world, &pending);
    world.pass_on(baton, BootTime::now());
    world.close();
}

/// Whoever asks goes away, and the next one goes on with its request.
pub(super) fn of_the_next() {
    let world = World::new(rules());
    let mut baton = world.head();
    let pending = world.ask(&mut baton);
    let mut waiter = world.queued(BootTime::NEVER);
    thread::scope(|scope| {
        scope.spawn(|| drop(baton));
        let message = scope.spawn(|| hand_over(&world, &pending));
        let mut baton = wait(&mut waiter, None).expect("its turn comes");
        assert!(baton.pending().is_some_and(|known| Arc::ptr_eq(known, &pending)), "it goes on");
        world.take(&mut baton);
        message.join().expect("no panic");
        world.pass_on(baton, BootTime::now());
    });
    drop(waiter);
    world.close();
}

/// Whoever waits for news of its request hears of a hand-over, whenever that is told.
pub(super) fn news() {
    let world = World::new(rules());
    let mut baton = world.head();
    let pending = world.ask(&mut baton);
    thread::scope(|scope| {
        scope.spawn(|| hand_over(&world, &pending));
        // One that goes away as soon as it has looked takes nothing along.
        let mut first = Box::pin(pending.news());
        block_on(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())));
        drop(first);
        while pending.take_hand_over().is_none() {
            block_on(pending.news());
        }
        world.take(&mut baton);
    });
    world.pass_on(baton, BootTime::now());
    world.close();
}
