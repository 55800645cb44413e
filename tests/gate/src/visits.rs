//! Tasks that come to a queue, have their turn and go, while something else happens.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

use super::{
    super::{Entered, Rules, Share},
    world::{End, Manner, World, rules, wait},
};
use crate::{sync::Arc, types::boot_time::BootTime};

pub(super) const STAYS: Manner = Manner { queues: true, looks: None, end: End::Pass };
pub(super) const PASSES: Manner = Manner { end: End::Unused, ..STAYS };
pub(super) const DROPS: Manner = Manner { end: End::Drop, ..STAYS };
pub(super) const DROPS_ASKING: Manner = Manner { end: End::DropAsking, ..STAYS };
/// It enters if nobody is there, and else asks for itself.
pub(super) const AT_ONCE: Manner = Manner { queues: false, ..STAYS };

/// It goes away at any moment: before it has its baton, with the baton in its hands, or in between.
pub(super) const fn leaves(looks: usize) -> Manner {
    Manner { looks: Some(looks), ..DROPS }
}

/// Leases that nobody uses are kept for a while.
pub(super) fn lingering() -> Rules {
    Rules { linger: Duration::from_secs(1), ..rules() }
}

pub(super) fn lingering_sometimes() -> Rules {
    if thread_rng().gen_bool(0.5) { lingering() } else { rules() }
}

/// If leases are kept, there is one when they come.
pub(super) fn visits(rules: Rules, manners: &[Manner], meanwhile: &[fn(&World)]) {
    let world = World::new(rules);
    if !rules.linger.is_zero() {
        world.visit(&world.name, STAYS);
    }
    thread::scope(|scope| {
        let world = &world;
        for &manner in manners {
            scope.spawn(move || world.visit(&world.name, manner));
        }
        for &happens in meanwhile {
            scope.spawn(move || happens(world));
        }
    });
    world.close();
}

/// Somebody elsewhere wants the first lease.
pub(super) fn is_wanted(world: &World) {
    world.say_contended(&world.lock_id(&world.name, 1));
}

/// The keeper would give the first lease back.
pub(super) fn is_idle(world: &World) {
    let first = Arc::clone(&world.book.page().leases[0]);
    world.unpark(&first);
}

/// Nobody waits any more, and nothing is parked. Who comes later is let through to be refused.
pub(super) fn shuts_down(world: &World) {
    world.shut_down(&world.name);
    let is_parked = world.queues.shard(&world.name).queues.values().any(|queue| queue.parked.is_some());
    assert!(!is_parked, "a lease is parked after the end");
    let late = world.enter(&world.name, BootTime::NEVER);
    assert!(matches!(late, Entered::Head(_)), "somebody would wait after the end");
}

/// Whoever is in a queue need not wait for the head, which may take long.
pub(super) fn end_with_a_head(tasks: usize) {
    let world = World::new(rules());
    let head = world.head();
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| world.visit(&world.name, STAYS));
        }
        assert_eq!(world.shut_down(&world.name), 0, "nothing is parked");
    });
    world.turn(head, End::Pass);
    world.close();
}

/// More tasks than may wait come to three queues, and leave at any time: one may wait in each behind its head, and two in all.
pub(super) fn in_bounds(tasks: usize) {
    let world = World::new(Rules { waiters_per_key: 2, waiters: 2, ..rules() });
    let names = ["a", "b", "c"].map(Arc::from);
    let heads = names.each_ref().map(|name| world.enter(name, BootTime::NEVER));
    let (each, all) = ([const { AtomicUsize::new(0) }; 3], AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..tasks {
            let (world, name) = (&world, &names[number % 3]);
            let counts = [(&each[number % 3], 1), (&all, 2)];
            scope.spawn(move || {
                let Entered::Queued(mut waiter) = world.enter(name, BootTime::NEVER) else { return };
                for (count, most) in counts {
                    assert!(count.fetch_add(1, Ordering::Relaxed) < most, "too many wait");
                }
                assert!(wait(&mut waiter, Some(2)).is_none(), "its head is there");
                for (count, _) in counts {
                    count.fetch_sub(1, Ordering::Relaxed);
                }
            });
        }
    });
    let last = world.enter(&names[0], BootTime::NEVER);
    assert!(!matches!(last, Entered::Full), "nobody waits any more");
    drop((last, heads));
    world.close();
}

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
                    world.visit(name, Manner { queues: random.gen_bool(0.8), looks, end });
                }
            });
        }
        scope.spawn(|| {
            for lock_id in (1..5).flat_map(|number| names.each_ref().map(|name| world.lock_id(name, number))) {
                world.queues.notify_free(&lock_id);
                world.queues.notify_hand_over(&lock_id, 1, 0);
                world.say_contended(&lock_id);
            }
        });
        for _ in 0..2 {
            let leases = world.book.page().leases.clone();
            leases.iter().for_each(|lease| world.unpark(lease));
            world.expire_waiters(&names[0], BootTime::now());
        }
        if closes {
            world.shut_down(&names[0]);
        }
    });
    world.close();
}
