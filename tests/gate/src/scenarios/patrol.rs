//! Who is out of time leaves the line.

use std::{task::Poll, time::Duration};

use shuttle::{future::block_on, thread};

use super::{
    super::gate::{Entrance, Over, Pass, Rules, Turnstile},
    world::{End, World, answer},
};
use crate::{
    clock::Moment,
    sync::{Arc, AtomicUsize, Mutex, Ordering},
};

const NOW: Moment = Moment::START;

fn at(second: u64) -> Moment {
    NOW.after(Duration::from_secs(second))
}

/// Whether there is nothing to wait for any more.
fn is_sent_away(turnstile: &mut Turnstile<'_>) -> bool {
    let mut pass = Box::pin(turnstile.pass());
    block_on(std::future::poll_fn(|cx| Poll::Ready(matches!(pass.as_mut().poll(cx), Poll::Ready(Pass::Over(_))))))
}

/// Tasks join during a patrol. The next one does not come too late for any of them, and sends away those whose time is over
/// and no others.
pub(super) fn in_time() {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entrance::Head(head) = world.gates.enter(&name, Moment::NEVER) else { panic!("nobody was there") };
    head.learn(answer());
    let mut joined = thread::scope(|scope| {
        let (world, name) = (&world, &name);
        let joining = [10, 20].map(|second| {
            scope.spawn(move || match world.gates.enter(name, at(second)) {
                Entrance::Queue(turnstile) => turnstile,
                Entrance::Head(_) | Entrance::Full => panic!("somebody is there, and few"),
            })
        });
        world.gates.patrol(at(15));
        joining.map(|joining| joining.join().expect("no panic"))
    });
    let first = world.gates.probe().first;
    assert!(first.is_none_or(|first| world.gates.patrol_at() <= first), "the next patrol comes too late");
    world.gates.patrol(at(15));
    assert_eq!(joined.each_mut().map(is_sent_away), [true, false], "at 15, of those who wait until 10 and until 20");
    assert_eq!(world.gates.patrol_at(), at(20));
    drop(joined);
    world.book.leave(head.pass(NOW));
    world.close();
}

/// The keeper sleeps until the patrol is due or called for. Everybody is sent away when the time has come.
pub(super) fn keeper(tasks: u64) {
    let called = Arc::new((Mutex::new(true), shuttle::sync::Condvar::new()));
    let bell = Arc::clone(&called);
    let ring = move |called: &(Mutex<bool>, shuttle::sync::Condvar)| {
        *called.0.lock().expect("no panic") = true;
        called.1.notify_one();
    };
    let world = World::calling(Rules::default(), move || ring(&bell));
    let (name, waiting) = (Arc::from("k"), AtomicUsize::new(0));
    let Entrance::Head(head) = world.gates.enter(&name, Moment::NEVER) else { panic!("nobody was there") };
    thread::scope(|scope| {
        waiting.store(1, Ordering::SeqCst);
        scope.spawn(|| {
            while waiting.load(Ordering::SeqCst) > 0 {
                let due = world.gates.patrol_at();
                if due < Moment::NEVER {
                    // Nothing else happens until then.
                    world.gates.patrol(due);
                    continue;
                }
                let mut news = called.0.lock().expect("no panic");
                while !*news {
                    news = called.1.wait(news).expect("no panic");
                }
                *news = false;
            }
        });
        let tasks = (1..=tasks).rev().map(|second| {
            let (world, name) = (&world, &name);
            scope.spawn(move || {
                let Entrance::Queue(mut turnstile) = world.gates.enter(name, at(second)) else { panic!("one is there") };
                assert!(matches!(block_on(turnstile.pass()), Pass::Over(_)), "the head stays");
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.join().expect("no panic");
        }
        waiting.store(0, Ordering::SeqCst);
        ring(&called);
    });
    world.book.leave(head.pass(NOW));
    world.close();
}

/// Tasks run out of time while nothing is known, or something becomes known just then. At most one of them is to ask, and all
/// others are told what it or the head learns, or go on.
pub(super) fn told(tasks: usize) {
    let (world, name) = (World::new(Rules::default()), Arc::from("k"));
    let Entrance::Head(head) = world.gates.enter(&name, Moment::NEVER) else { panic!("nobody was there") };
    let line = (0..tasks).map(|_| match world.gates.enter(&name, at(1)) {
        Entrance::Queue(turnstile) => turnstile,
        Entrance::Head(_) | Entrance::Full => panic!("one is there, and few"),
    });
    let line = line.collect::<Vec<_>>();
    let asked = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (world, name, asked) = (&world, &name, &asked);
        for mut turnstile in line {
            scope.spawn(move || match block_on(turnstile.pass()) {
                Pass::Place(place) => world.turn(name, place, End::Pass),
                Pass::Over(Over::Ask) => {
                    assert_eq!(asked.fetch_add(1, Ordering::SeqCst), 0, "two of them ask");
                    world.gates.learn(name, answer());
                }
                Pass::Over(Over::Known(_) | Over::HeldHere(_)) => {}
                Pass::Over(Over::Unknown) | Pass::Closed => panic!("there was an answer"),
            });
        }
        scope.spawn(|| world.gates.patrol(at(1)));
        scope.spawn(move || {
            let left = if tasks % 2 > 0 {
                head.learn(answer());
                head.pass(at(1))
            } else {
                head.pass(at(1))
            };
            world.book.leave(left);
        });
    });
    world.close();
}
