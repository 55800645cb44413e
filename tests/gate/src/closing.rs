//! The end of a runtime.

use std::time::Duration;

use shuttle::thread;

use super::{
    super::{Entered, Rules},
    world::{End, STAYS, World, rules},
};
use crate::{sync::Arc, types::boot_time::BootTime};

/// The queues close while tasks come, wait, use leases and park them: nobody waits any more, and nothing is parked.
pub(super) fn at_any_time(tasks: usize) {
    let rules = Rules { linger: Duration::from_secs(1), ..rules() };
    let (world, name) = (World::new(rules), Arc::from("k"));
    assert!(world.visit(&name, STAYS), "nobody was there");
    thread::scope(|scope| {
        for _ in 0..tasks {
            // Whoever is in a queue is sent away. Later ones are let through to be refused.
            scope.spawn(|| world.visit(&name, STAYS));
        }
        scope.spawn(|| {
            world.shut_down(&name);
            let parked = world.queues.shard(&name).queues.values().any(|queue| queue.parked.is_some());
            assert!(!parked, "a lease is parked after the end");
            let late = world.enter(&name, BootTime::NEVER);
            assert!(matches!(late, Entered::Head(_)), "somebody would wait after the end");
        });
    });
    assert!(world.queues.shard(&name).queues.is_empty(), "a queue outlasts the end");
    world.close();
}

/// Whoever is in a queue need not wait for the head, which may take long.
pub(super) fn with_a_head(tasks: usize) {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    let Entered::Head(head) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| world.visit(&name, STAYS));
        }
        assert_eq!(world.shut_down(&name), 0, "nothing is parked");
    });
    world.turn(&name, head, End::Pass);
    world.close();
}
