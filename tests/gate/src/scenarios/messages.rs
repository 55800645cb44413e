//! Messages of the store, at any moment.

use shuttle::thread;

use super::{
    super::gate::{Entrance, Left, Rules},
    world::{World, wait},
};
use crate::{clock::Moment, sync::Arc};

/// From when a request is put until its lease is given back, and a while after, a hand-over is known to be ours. That
/// somebody waits is known of the lease, whenever it was said.
pub(super) fn of_the_head() {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entrance::Head(mut place) = world.gates.enter(&name, Moment::NEVER) else { panic!("nobody was there") };
    let ask = world.book.new_ask(&name);
    place.begin_to_ask(Arc::clone(&ask));
    world.gates.free(&ask.claim.ticket);
    assert_eq!(ask.heard(), 1, "a message is for whoever asks");
    thread::scope(|scope| {
        scope.spawn(|| assert!(world.gates.granted(&ask.claim.ticket, 1, 0, 1), "it is ours"));
        scope.spawn(|| assert!(world.gates.wanted(&ask.claim.ticket, Moment::now()).is_none(), "it is in use"));
        world.take(&mut place);
    });
    assert!(world.gates.granted(&ask.claim.ticket, 1, 0, 1), "it is ours");
    let lease = place.part().expect("there is one");
    assert!(lease.is_wanted(), "a message is lost");
    world.book.leave(Some(Left::Lease(lease)));
    assert!(world.gates.wanted(&ask.claim.ticket, Moment::now()).is_none(), "it is over");
    assert!(world.gates.granted(&ask.claim.ticket, 1, 0, 1), "it was ours");
    world.book.leave(place.pass(Moment::now()));
    world.close();
}

/// Whoever asks goes away, and the next one goes on with its request.
pub(super) fn of_the_next() {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entrance::Head(mut place) = world.gates.enter(&name, Moment::NEVER) else { panic!("nobody was there") };
    let ask = world.book.new_ask(&name);
    place.begin_to_ask(Arc::clone(&ask));
    let Entrance::Queue(mut turnstile) = world.gates.enter(&name, Moment::NEVER) else { panic!("one is there") };
    thread::scope(|scope| {
        scope.spawn(|| drop(place));
        let message = scope.spawn(|| assert!(world.gates.granted(&ask.claim.ticket, 1, 0, 1), "it is ours"));
        let mut place = wait(&mut turnstile, None).expect("its turn comes");
        assert!(place.ask().is_some_and(|known| Arc::ptr_eq(known, &ask)), "it goes on");
        world.take(&mut place);
        message.join().expect("no panic");
        world.book.leave(place.pass(Moment::now()));
    });
    drop(turnstile);
    world.close();
}
