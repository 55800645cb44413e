//! Messages of the store, at any moment.

use shuttle::thread;

use super::{
    super::queue::{Entered, ToRelease, Rules},
    world::{World, wait},
};
use crate::{clock::BootTime, sync::Arc};

/// From when a request is put until its lease is given back, and a while after, a hand-over is known to be ours. That
/// somebody waits is known of the lease, whenever it was said.
pub(super) fn of_the_head() {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entered::Head(mut baton) = world.queues.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    let pending = world.book.new_pending(&name);
    baton.set_pending(Arc::clone(&pending));
    world.queues.notify_free(&pending.command.lock_id);
    assert_eq!(pending.heard(), 1, "a message is for whoever asks");
    thread::scope(|scope| {
        scope.spawn(|| assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0, 1), "it is ours"));
        scope.spawn(|| assert!(world.queues.notify_contended(&pending.command.lock_id, BootTime::now()).is_none(), "it is in use"));
        world.take(&mut baton);
    });
    assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0, 1), "it is ours");
    let lease = baton.remove_lease().expect("there is one");
    assert!(lease.is_contended(), "a message is lost");
    world.book.leave(Some(ToRelease::Lease(lease)));
    assert!(world.queues.notify_contended(&pending.command.lock_id, BootTime::now()).is_none(), "it is over");
    assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0, 1), "it was ours");
    world.book.leave(baton.pass_on(BootTime::now()));
    world.close();
}

/// Whoever asks goes away, and the next one goes on with its request.
pub(super) fn of_the_next() {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entered::Head(mut baton) = world.queues.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    let pending = world.book.new_pending(&name);
    baton.set_pending(Arc::clone(&pending));
    let Entered::Queued(mut waiter) = world.queues.enter(&name, BootTime::NEVER) else { panic!("one is there") };
    thread::scope(|scope| {
        scope.spawn(|| drop(baton));
        let message = scope.spawn(|| assert!(world.queues.notify_hand_over(&pending.command.lock_id, 1, 0, 1), "it is ours"));
        let mut baton = wait(&mut waiter, None).expect("its turn comes");
        assert!(baton.pending().is_some_and(|known| Arc::ptr_eq(known, &pending)), "it goes on");
        world.take(&mut baton);
        message.join().expect("no panic");
        world.book.leave(baton.pass_on(BootTime::now()));
    });
    drop(waiter);
    world.close();
}
