//! A task that is out of time leaves the queue.

use std::{task::Poll, time::Duration};

use shuttle::{
    future::block_on,
    sync::{Condvar, Mutex, atomic::AtomicUsize},
    thread,
};

use super::{
    super::{Entered, QueuedWaiter, TimedOut, WaitEnd},
    world::{End, World, rules},
};
use crate::{
    sync::{Arc, Ordering},
    types::boot_time::BootTime,
};

const NOW: BootTime = BootTime::START;

fn at(second: u64) -> BootTime {
    NOW.after(Duration::from_secs(second))
}

/// Whether there is nothing to wait for any more.
fn is_sent_away(waiter: &mut QueuedWaiter<'_>) -> bool {
    let mut pass = Box::pin(waiter.wait());
    block_on(std::future::poll_fn(|cx| {
        Poll::Ready(matches!(pass.as_mut().poll(cx), Poll::Ready(WaitEnd::TimedOut(_))))
    }))
}

/// Tasks join while timeouts are looked for. The next look does not come too late for any of them, and sends away those whose time is over
/// and no others.
pub(super) fn in_time() {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    let Entered::Head(head) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    world.record_answer(&name);
    let mut joined = thread::scope(|scope| {
        let (world, name) = (&world, &name);
        let joining = [10, 20].map(|second| {
            scope.spawn(move || match world.enter(name, at(second)) {
                Entered::Queued(waiter) => waiter,
                Entered::Head(_) | Entered::Full => panic!("somebody is there, and few"),
            })
        });
        world.expire_waiters(name, at(15));
        joining.map(|joining| joining.join().expect("no panic"))
    });
    let first = world
        .queues
        .shard(&name)
        .queues
        .values()
        .flat_map(|queue| &queue.followers)
        .flat_map(|all| all.waiters.present().map(|waiter| waiter.until).min())
        .min();
    assert!(first.is_none_or(|first| world.queues.next_timeout() <= first), "the next look comes too late");
    world.expire_waiters(&name, at(15));
    assert_eq!(joined.each_mut().map(is_sent_away), [true, false], "at 15, of those who wait until 10 and until 20");
    assert_eq!(world.queues.next_timeout(), at(20));
    drop(joined);
    world.pass_on(head);
    world.close();
}

/// The keeper sleeps until somebody may time out or it is woken. Everybody is sent away when the time has come.
pub(super) fn keeper(tasks: u64) {
    let called = Arc::new((Mutex::new(true), Condvar::new()));
    let bell = Arc::clone(&called);
    let ring = move |called: &(Mutex<bool>, Condvar)| {
        *called.0.lock().expect("no panic") = true;
        called.1.notify_one();
    };
    let world = World::calling(rules(), move || ring(&bell));
    let (name, waiting) = (Arc::from("k"), AtomicUsize::new(0));
    let Entered::Head(head) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    thread::scope(|scope| {
        waiting.store(1, Ordering::SeqCst);
        scope.spawn(|| {
            while waiting.load(Ordering::SeqCst) > 0 {
                let due = world.queues.next_timeout();
                if due < BootTime::NEVER {
                    // Nothing else happens until then.
                    world.expire_waiters(&name, due);
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
                let Entered::Queued(mut waiter) = world.enter(name, at(second)) else { panic!("one is there") };
                assert!(matches!(block_on(waiter.wait()), WaitEnd::TimedOut(_)), "the head stays");
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.join().expect("no panic");
        }
        waiting.store(0, Ordering::SeqCst);
        ring(&called);
    });
    world.pass_on(head);
    world.close();
}

/// Tasks run out of time while nothing is known, or something becomes known just then. At most one of them is to ask, and all
/// others are told what it or the head learns, or go on.
pub(super) fn told(tasks: usize) {
    let (world, name) = (World::new(rules()), Arc::from("k"));
    let Entered::Head(head) = world.enter(&name, BootTime::NEVER) else { panic!("nobody was there") };
    let waiters = (0..tasks).map(|_| match world.enter(&name, at(1)) {
        Entered::Queued(waiter) => waiter,
        Entered::Head(_) | Entered::Full => panic!("one is there, and few"),
    });
    let waiters = waiters.collect::<Vec<_>>();
    let asked = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (world, name, asked) = (&world, &name, &asked);
        for mut waiter in waiters {
            scope.spawn(move || match block_on(waiter.wait()) {
                WaitEnd::Baton(baton) => world.turn(name, baton, End::Pass),
                WaitEnd::TimedOut(TimedOut::AskStore) => {
                    assert_eq!(asked.fetch_add(1, Ordering::SeqCst), 0, "two of them ask");
                    world.record_answer(name);
                }
                WaitEnd::TimedOut(TimedOut::LastAnswer(_) | TimedOut::HeldHere(_)) => {}
                WaitEnd::TimedOut(TimedOut::NoAnswer) | WaitEnd::Closed => panic!("there was an answer"),
            });
        }
        scope.spawn(move || world.expire_waiters(name, at(1)));
        scope.spawn(move || {
            if !tasks.is_multiple_of(2) {
                world.record_answer(name);
            }
            world.pass_on_at(head, at(1));
        });
    });
    world.close();
}
