//! The end of a runtime.

use std::time::Duration;

use shuttle::thread;

use super::{
    super::queue::{Entered, ToRelease, Rules},
    world::{End, STAYS, World},
};
use crate::{clock::BootTime, sync::Arc};

/// The queues close while tasks come, wait, use leases and park them: nobody waits any more, and nothing is parked.
pub(super) fn at_any_time(tasks: usize) {
    let rules = Rules { linger: Duration::from_secs(1), ..Rules::default() };
    let (world, name) = (World::new(rules), Arc::from("k"));
    assert!(world.visit(&name, STAYS), "nobody was there");
    thread::scope(|scope| {
        for _ in 0..tasks {
            // Whoever is in a queue is sent away. Later ones are let through to be refused.
            scope.spawn(|| world.visit(&name, STAYS));
        }
        scope.spawn(|| {
            for lease in world.queues.close() {
                world.book.leave(Some(ToRelease::Lease(lease)));
            }
            assert_eq!(world.queues.probe().parked, 0, "a lease is parked after the end");
            let late = world.queues.enter(&name, BootTime::NEVER);
            assert!(matches!(late, Entered::Head(_)), "somebody would wait after the end");
        });
    });
    assert_eq!(world.queues.probe().queues, 0, "a queue outlasts the end");
    world.close();
}

/// Whoever is in a queue need not wait for the head, which may take long.
pub(super) fn with_a_head(tasks: usize) {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entered::Head(head) = world.queues.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| world.visit(&name, STAYS));
        }
        assert!(world.queues.close().is_empty(), "nothing is parked");
    });
    world.turn(&name, head, End::Pass);
    world.close();
}
