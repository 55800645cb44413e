//! All of it at once.

use std::time::Duration;

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

use super::{
    super::gate::{Left, Rules},
    world::{End, Manner, World},
};
use crate::{clock::Moment, lease::Share, sync::Arc, ticket::Ticket};

/// Tasks that come to two lines and behave in any way, messages, a keeper, and sometimes the end.
pub(super) fn anything(tasks: usize) {
    let mut random = thread_rng();
    let world = World::new(Rules {
        share: Share { turns: random.gen_bool(0.9), most_turns: random.gen_range(0..3), unbroken: random.gen_range(1..4) },
        linger: Duration::from_secs(random.gen_range(0..2)),
        waiters_per_key: random.gen_range(1..4),
        waiters: random.gen_range(1..5),
    });
    let names = ["a", "b"].map(Arc::from);
    let closes = random.gen_bool(0.2);
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| {
                let mut random = thread_rng();
                for _ in 0..2 {
                    let name = &names[usize::from(random.gen_bool(0.3))];
                    let looks = random.gen_bool(0.5).then(|| random.gen_range(0..4));
                    let end = [End::Pass, End::Pass, End::Drop, End::DropAsking][random.gen_range(0..4)];
                    if random.gen_bool(0.2) {
                        let place = world.gates.enter_first(name).unwrap_or_else(|| world.gates.aside(name));
                        world.turn(name, place, end);
                    } else {
                        world.visit(name, Manner { looks, end });
                    }
                }
            });
        }
        scope.spawn(|| {
            for token in 1..5 {
                for name in &names {
                    let ticket = Ticket::new(name, token);
                    world.gates.free(&ticket);
                    world.gates.granted(&ticket, 1, 0, 1);
                    let parked = world.gates.wanted(&ticket, Moment::now());
                    world.book.leave(parked.map(Left::Lease));
                }
            }
        });
        for _ in 0..2 {
            let leases = world.book.page().leases.clone();
            for lease in leases {
                let parked = world.gates.parked_until(&lease).and_then(|_| world.gates.unpark(&lease));
                world.book.leave(parked.map(Left::Lease));
            }
            world.gates.patrol(Moment::now());
        }
        if closes {
            for lease in world.gates.close() {
                world.book.leave(Some(Left::Lease(lease)));
            }
        }
    });
    world.close();
}
