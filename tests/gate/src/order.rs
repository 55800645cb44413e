//! The order in which tasks are served.

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

use super::{
    super::{Entered, Rules},
    world::{End, Manner, STAYS, World, rules, wait},
};
use crate::{sync::Arc, types::boot_time::BootTime};

/// All stay, and all have a turn, with queues that begin and end all the time.
pub(super) fn turns(tasks: usize) {
    let (world, name) = (World::new(rules()), "k".into());
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| assert!(world.visit(&name, STAYS), "it was sent away"));
        }
    });
    world.close();
}

/// They go as soon as they have the baton, so that the queue often ends when somebody joins.
pub(super) fn passing(tasks: usize) {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| {
                let baton = match world.queues.enter(&name, BootTime::NEVER) {
                    Entered::Head(baton) => Some(baton),
                    Entered::Queued(mut waiter) => wait(&mut waiter, None),
                    Entered::Full => None,
                };
                drop(baton.expect("it was sent away"));
            });
        }
    });
    world.close();
}

/// They come one after the other, while the queue moves.
pub(super) fn in_order(tasks: usize) {
    let (world, name) = (World::new(rules()), "k".into());
    let served = std::sync::Mutex::new(Vec::new());
    let Entered::Head(head) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    thread::scope(|scope| {
        scope.spawn(|| world.turn(&name, head, End::Pass));
        for number in 0..tasks {
            let entrance = world.enter(&name, BootTime::NEVER);
            let (world, name, served) = (&world, &name, &served);
            scope.spawn(move || {
                let baton = match entrance {
                    Entered::Head(baton) => baton,
                    Entered::Queued(mut waiter) => wait(&mut waiter, None).expect("its turn comes"),
                    Entered::Full => panic!("there are few"),
                };
                served.lock().expect("no panic").push(number);
                world.turn(name, baton, End::Pass);
            });
        }
    });
    assert!(served.into_inner().expect("no panic").is_sorted());
    world.close();
}

/// One goes away at any moment: before it has its baton, with the baton in its hands, or in between.
pub(super) fn leaving(others: usize) {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    thread::scope(|scope| {
        for looks in 0..others {
            let (world, name) = (&world, &name);
            scope.spawn(move || world.visit(name, Manner { looks: Some(looks + 1), end: End::Drop }));
        }
        scope.spawn(|| assert!(world.visit(&name, STAYS), "it was sent away"));
        assert!(world.visit(&name, STAYS), "it was sent away");
    });
    world.close();
}

/// Batons are dropped with a lease, or with a request in them.
pub(super) fn dropped_batons(tasks: usize) {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    thread::scope(|scope| {
        for number in 0..tasks {
            let end = if number % 2 == 0 { End::DropAsking } else { End::Drop };
            let (world, name) = (&world, &name);
            scope.spawn(move || assert!(world.visit(name, Manner { looks: None, end }), "it was sent away"));
        }
    });
    world.close();
}

/// Some do not wait: they enter if nobody is there, and else ask for themselves.
pub(super) fn at_once(tasks: usize) {
    let (world, name) = (World::new(parking_sometimes(tasks)), Arc::from("k"));
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| {
                let baton = world.queues.enter_if_idle(&name).unwrap_or_else(|| world.queues.unqueued_baton(&name));
                world.turn(&name, baton, End::Pass);
            });
        }
        assert!(world.visit(&name, STAYS), "it was sent away");
    });
    world.close();
}

fn parking_sometimes(tasks: usize) -> Rules {
    // In the case in which all orders are tried nothing is random.
    let parks = tasks == 1 || thread_rng().gen_bool(0.5);
    Rules { linger: std::time::Duration::from_secs(u64::from(parks)), ..rules() }
}
