//! More tasks than may wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::thread;

use super::{
    super::{Entered, Rules},
    world::{End, World, rules, wait},
};
use crate::{sync::Arc, types::boot_time::BootTime};

/// How many wait in a queue behind a head that waits too, and in all.
const PER_LINE: usize = 1;
const IN_ALL: usize = 2;

/// Tasks that come to three queues, and leave at any time.
pub(super) fn in_bounds(tasks: usize) {
    let rules = Rules { waiters_per_key: 1 + PER_LINE, waiters: IN_ALL, ..rules() };
    let world = World::new(rules);
    let names = ["a", "b", "c"].map(Arc::from);
    let heads = names.each_ref().map(|name| match world.enter(name, BootTime::NEVER) {
        Entered::Head(head) => head,
        Entered::Queued(_) | Entered::Full => panic!("nobody was there"),
    });
    let (each, all) = ([const { AtomicUsize::new(0) }; 3], AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..tasks {
            let (world, name) = (&world, &names[number % 3]);
            let counts = [(&each[number % 3], PER_LINE), (&all, IN_ALL)];
            scope.spawn(move || match world.enter(name, BootTime::NEVER) {
                Entered::Head(baton) => world.turn(name, baton, End::Pass),
                Entered::Queued(mut waiter) => {
                    for (count, most) in counts {
                        assert!(count.fetch_add(1, Ordering::Relaxed) < most, "too many wait");
                    }
                    let baton = wait(&mut waiter, Some(2));
                    for (count, _) in counts {
                        count.fetch_sub(1, Ordering::Relaxed);
                    }
                    drop(waiter);
                    if let Some(baton) = baton {
                        world.turn(name, baton, End::Pass);
                    }
                }
                Entered::Full => {}
            });
        }
    });
    let last = world.enter(&names[0], BootTime::NEVER);
    assert!(!matches!(last, Entered::Full), "nobody waits any more");
    drop((last, heads));
    world.close();
}
