//! Messages of the store, at any moment.

use std::{future::poll_fn, task::Poll};

use shuttle::{future::block_on, thread};

use super::{
    super::Entered,
    world::{World, rules, wait},
};
use crate::{sync::Arc, types::boot_time::BootTime};

/// From when a request is put until its lease is given back, and a while after, a hand-over is known to be ours. That
/// somebody waits is known of the lease, whenever it was said.
pub(super) fn of_the_head() {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    let Entered::Head(mut baton) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    let pending = world.ask(&name, &mut baton);
    world.queues.notify_free(&pending.command.lock_id);
    assert!(!pending.has_no_news(), "a message is for whoever asks");
    thread::scope(|scope| {
        scope.spawn(|| assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it is ours"));
        scope.spawn(|| world.say_contended(&pending.command.lock_id));
        world.take(&mut baton);
    });
    assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it is ours");
    let lease = world.remove_lease(&mut baton);
    assert!(lease.is_contended(), "a message is lost");
    assert!(world.queues.held_here(&name, BootTime::now()).is_none(), "it is over");
    let known = world.queues.shard(&name).queues.get(&name).is_some_and(|queue| queue.has(&lease));
    assert!(!known, "it is over");
    assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it was ours");
    world.pass_on(baton);
    world.close();
}

/// Whoever asks goes away, and the next one goes on with its request.
pub(super) fn of_the_next() {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    let Entered::Head(mut baton) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    let pending = world.ask(&name, &mut baton);
    let Entered::Queued(mut waiter) = world.enter(&name, BootTime::NEVER) else { panic!("one is there") };
    thread::scope(|scope| {
        scope.spawn(|| drop(baton));
        let message =
            scope.spawn(|| assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it is ours"));
        let mut baton = wait(&mut waiter, None).expect("its turn comes");
        assert!(baton.pending().is_some_and(|known| Arc::ptr_eq(known, &pending)), "it goes on");
        world.take(&mut baton);
        message.join().expect("no panic");
        world.pass_on(baton);
    });
    drop(waiter);
    world.close();
}

/// Whoever waits for news of its request hears of a hand-over, whenever that is told.
pub(super) fn news() {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    let Entered::Head(mut baton) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    let pending = world.ask(&name, &mut baton);
    thread::scope(|scope| {
        scope.spawn(|| assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0), "it is ours"));
        // One that goes away as soon as it has looked takes nothing along.
        let mut first = Box::pin(pending.news());
        block_on(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())));
        drop(first);
        while pending.take_hand_over().is_none() {
            block_on(pending.news());
        }
        world.take(&mut baton);
    });
    world.pass_on(baton);
    world.close();
}
