//! Tasks in a line.

use shuttle::{
    rand::{Rng, thread_rng},
    thread,
};

use super::{
    super::gate::{Entrance, Rules},
    world::{End, Manner, STAYS, World, wait},
};
use crate::{clock::Moment, sync::Arc};

/// All stay, and all have a turn, with lines that begin and end all the time.
pub(super) fn turns(tasks: usize) {
    let (world, name) = (World::new(Rules::default()), "k".into());
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| assert!(world.visit(&name, STAYS), "it was sent away"));
        }
    });
    world.close();
}

/// They come one after the other, while the line moves.
pub(super) fn in_order(tasks: usize) {
    let (world, name) = (World::new(Rules::default()), "k".into());
    let served = std::sync::Mutex::new(Vec::new());
    let Entrance::Head(head) = world.gates.enter(&name, Moment::NEVER) else { panic!("nobody was there") };
    thread::scope(|scope| {
        scope.spawn(|| world.turn(&name, head, End::Pass));
        for number in 0..tasks {
            let entrance = world.gates.enter(&name, Moment::NEVER);
            let (world, name, served) = (&world, &name, &served);
            scope.spawn(move || {
                let place = match entrance {
                    Entrance::Head(place) => place,
                    Entrance::Queue(mut turnstile) => wait(&mut turnstile, None).expect("its turn comes"),
                    Entrance::Full => panic!("there are few"),
                };
                served.lock().expect("no panic").push(number);
                world.turn(name, place, End::Pass);
            });
        }
    });
    assert!(served.into_inner().expect("no panic").is_sorted());
    world.close();
}

/// One goes away at any moment: before it has its place, with the place in its hands, or in between.
pub(super) fn leaving(others: usize) {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
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

/// Places are dropped with a lease, or with a request in them.
pub(super) fn dropped_places(tasks: usize) {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
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
                let place = world.gates.enter_first(&name).unwrap_or_else(|| world.gates.aside(&name));
                world.turn(&name, place, End::Pass);
            });
        }
        assert!(world.visit(&name, STAYS), "it was sent away");
    });
    world.close();
}

fn parking_sometimes(tasks: usize) -> Rules {
    // In the case in which all orders are tried nothing is random.
    let parks = tasks == 1 || thread_rng().gen_bool(0.5);
    Rules { linger: std::time::Duration::from_secs(u64::from(parks)), ..Rules::default() }
}
