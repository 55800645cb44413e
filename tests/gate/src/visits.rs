//! Tasks that come to a queue, have their turn and go, while something else happens.

use super::*;

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

/// If leases are kept, there is one when they come.
pub(super) fn visits(rules: Rules, manners: &[Manner], meanwhile: &[fn(&World)]) {
    story(rules, |world| {
        if !rules.linger.is_zero() {
            world.visit(&world.name, STAYS);
        }
        thread::scope(|scope| {
            for &manner in manners {
                scope.spawn(move || world.visit(&world.name, manner));
            }
            for &happens in meanwhile {
                scope.spawn(move || happens(world));
            }
        });
    });
}

/// Somebody elsewhere wants the first lease.
pub(super) fn is_wanted(world: &World) {
    world.say_contended(&world.lock_id(&world.name, 1));
}

/// Nobody waits any more. Who comes later is let through to be refused.
pub(super) fn shuts_down(world: &World) {
    world.shut_down();
    let late = world.enter(&world.name, BootTime::NEVER);
    assert!(matches!(late, Entered::Head(_)), "somebody would wait after the end");
}

/// Whoever is in a queue need not wait for the head, which may take long.
pub(super) fn end_with_a_head(world: &World, tasks: usize) {
    let head = world.head();
    thread::scope(|scope| {
        (0..tasks).for_each(|_| _ = scope.spawn(|| world.visit(&world.name, STAYS)));
        world.shut_down();
    });
    world.turn(head, End::Pass);
}

/// More tasks than may wait come to three queues, and leave at any time: one may wait in each behind its head, and two in all.
pub(super) fn in_bounds(tasks: usize) {
    story(Rules { waiters_per_key: 2, waiters: 2, ..rules() }, |world| {
        let names = ["a", "b", "c"].map(Arc::from);
        let _heads = names.each_ref().map(|name| world.enter(name, BootTime::NEVER));
        let (each, all) = ([const { AtomicUsize::new(0) }; 3], AtomicUsize::new(0));
        thread::scope(|scope| {
            for (name, own) in names.iter().zip(&each).cycle().take(tasks) {
                let counts = [(own, 1), (&all, 2)];
                scope.spawn(move || {
                    let Entered::Queued(mut waiter) = world.enter(name, BootTime::NEVER) else { return };
                    for (count, most) in counts {
                        assert!(count.fetch_add(1, Ordering::Relaxed) < most, "too many wait");
                    }
                    assert!(wait(waiter.wait(), Some(2)).is_none(), "its head is there");
                    counts.iter().for_each(|(count, _)| _ = count.fetch_sub(1, Ordering::Relaxed));
                    drop(waiter);
                    if is_weakened("who_leaves_still_counts") {
                        world.count_waiters(1);
                    }
                });
            }
        });
        let last = world.enter(&names[0], BootTime::NEVER);
        assert!(!matches!(last, Entered::Full), "nobody waits any more");
    });
}

/// Tasks that come to two queues and behave in any way, messages, a keeper, and sometimes the end.
pub(super) fn anything(tasks: usize) {
    let mut random = thread_rng();
    let rules = Rules {
        share: Share { turns: random.gen_bool(0.9), most_turns: random.gen_range(0..3), ..Share::default() },
        linger: Duration::from_secs(random.gen_range(0..2)),
        waiters_per_key: random.gen_range(1..4),
        waiters: random.gen_range(1..5),
    };
    story(rules, |world| {
        let names = [Arc::clone(&world.name), "other".into()];
        let visits = || {
            let mut random = thread_rng();
            for _ in 0..2 {
                let name = &names[usize::from(random.gen_bool(0.3))];
                let looks = random.gen_bool(0.5).then(|| random.gen_range(0..4));
                let end = [End::Pass, End::Pass, End::Drop, End::DropAsking][random.gen_range(0..4)];
                world.visit(name, Manner { queues: random.gen_bool(0.8), looks, end });
            }
        };
        thread::scope(|scope| {
            (0..tasks).for_each(|_| _ = scope.spawn(visits));
            scope.spawn(|| {
                for lock_id in (1..5).flat_map(|number| names.each_ref().map(|name| world.lock_id(name, number))) {
                    world.queues.notify_free(&lock_id);
                    world.queues.notify_hand_over(&lock_id, 1, 0);
                    world.say_contended(&lock_id);
                }
            });
            for _ in 0..2 {
                world.unpark();
                world.expire_waiters(BootTime::now());
            }
            if thread_rng().gen_bool(0.2) {
                world.shut_down();
            }
        });
    });
}
