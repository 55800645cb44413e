//! More tasks than may wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::thread;

use super::{
    super::gate::{Entrance, Rules},
    world::{End, World, wait},
};
use crate::{clock::Moment, sync::Arc};

/// How many stand in a line behind a head that waits too, and in all.
const PER_LINE: usize = 1;
const IN_ALL: usize = 2;

/// Tasks that come to three lines, and leave at any time.
pub(super) fn in_bounds(tasks: usize) {
    let rules = Rules { waiters_per_key: 1 + PER_LINE, waiters: IN_ALL, ..Rules::default() };
    let world = World::new(rules);
    let names = ["a", "b", "c"].map(Arc::from);
    let heads = names.each_ref().map(|name| match world.gates.enter(name, Moment::NEVER) {
        Entrance::Head(head) => head,
        Entrance::Queue(_) | Entrance::Full => panic!("nobody was there"),
    });
    let (each, all) = ([const { AtomicUsize::new(0) }; 3], AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..tasks {
            let (world, name) = (&world, &names[number % 3]);
            let counts = [(&each[number % 3], PER_LINE), (&all, IN_ALL)];
            scope.spawn(move || match world.gates.enter(name, Moment::NEVER) {
                Entrance::Head(place) => world.turn(name, place, End::Pass),
                Entrance::Queue(mut turnstile) => {
                    for (count, most) in counts {
                        assert!(count.fetch_add(1, Ordering::Relaxed) < most, "too many wait");
                    }
                    let place = wait(&mut turnstile, Some(2));
                    for (count, _) in counts {
                        count.fetch_sub(1, Ordering::Relaxed);
                    }
                    drop(turnstile);
                    if let Some(place) = place {
                        world.turn(name, place, End::Pass);
                    }
                }
                Entrance::Full => {}
            });
        }
    });
    let last = world.gates.enter(&names[0], Moment::NEVER);
    assert!(!matches!(last, Entrance::Full), "nobody waits any more");
    drop((last, heads));
    world.close();
}
