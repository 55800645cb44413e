//! All of it at once.

use std::time::Duration;

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

use super::{
    super::{Rules, Share},
    world::{End, Manner, World},
};
use crate::{sync::Arc, types::boot_time::BootTime};

/// Tasks that come to two queues and behave in any way, messages, a keeper, and sometimes the end.
pub(super) fn anything(tasks: usize) {
    let mut random = thread_rng();
    let world = World::new(Rules {
        share: Share { turns: random.gen_bool(0.9), most_turns: random.gen_range(0..3), ..Share::default() },
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
                        let baton =
                            world.queues.enter_if_idle(name).unwrap_or_else(|| world.queues.unqueued_baton(name));
                        world.turn(name, baton, end);
                    } else {
                        world.visit(name, Manner { looks, end });
                    }
                }
            });
        }
        scope.spawn(|| {
            for token in 1..5 {
                for name in &names {
                    let lock_id = world.lock_id(name, token);
                    world.queues.notify_free(&lock_id);
                    world.queues.notify_hand_over(&lock_id, 1, 0);
                    world.say_contended(&lock_id);
                }
            }
        });
        for _ in 0..2 {
            let leases = world.book.page().leases.clone();
            for lease in leases {
                world.unpark(&lease);
            }
            world.expire_waiters(&names[0], BootTime::now());
        }
        if closes {
            world.shut_down(&names[0]);
        }
    });
    world.close();
}
