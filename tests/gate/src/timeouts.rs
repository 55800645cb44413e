//! A task that is out of time leaves the queue.

use std::{task::Poll, time::Duration};

use shuttle::{
    future::block_on,
    sync::{Condvar, Mutex, atomic::AtomicUsize},
    thread,
};

use super::{
    super::{QueuedWaiter, TimedOut, WaitEnd},
    world::{End, World, rules},
};
use crate::{
    sync::{Arc, AtomicBool, Ordering},
    types::boot_time::BootTime,
};

fn at(second: u64) -> BootTime {
    BootTime::START.after(Duration::from_secs(second))
}

/// Whether there is nothing to wait for any more.
fn is_sent_away(waiter: &mut QueuedWaiter<'_>) -> bool {
    let mut pass = Box::pin(waiter.wait());
    block_on(std::future::poll_fn(|cx| {
        Poll::Ready(matches!(pass.as_mut().poll(cx), Poll::Ready(WaitEnd::TimedOut(_))))
    }))
}

/// Tasks join while timeouts are looked for. The next look does not come too late for any of them, and sends away those whose
/// time is over and no others.
pub(super) fn in_time() {
    let world = World::new(rules());
    let head = world.head();
    world.record_answer(&world.name);
    let mut joined = thread::scope(|scope| {
        let joining = [10, 20].map(|second| {
            scope.spawn({
                let world = &world;
                move || world.queued(at(second))
            })
        });
        world.expire_waiters(&world.name, at(15));
        joining.map(|joining| joining.join().expect("no panic"))
    });
    let shard = world.queues.shard(&world.name);
    let present = shard.queues.values().flat_map(|queue| &queue.followers).flat_map(|all| all.waiters.present());
    let first = present.map(|waiter| waiter.until).min();
    drop(shard);
    assert!(first.is_none_or(|first| world.queues.next_timeout() <= first), "the next look comes too late");
    world.expire_waiters(&world.name, at(15));
    assert_eq!(joined.each_mut().map(is_sent_away), [true, false], "at 15, of those who wait until 10 and until 20");
    assert_eq!(world.queues.next_timeout(), at(20));
    drop(joined);
    world.pass_on(head, BootTime::now());
    world.close();
}

/// The keeper sleeps until somebody may time out or it is woken. Everybody is sent away when the time has come.
pub(super) fn keeper(tasks: u64) {
    let bell = Arc::new((Mutex::new(true), Condvar::new()));
    let ring = {
        let bell = Arc::clone(&bell);
        move || {
            *bell.0.lock().expect("no panic") = true;
            bell.1.notify_one();
        }
    };
    let world = World::calling(rules(), ring.clone());
    let (head, is_over) = (world.head(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let due = world.queues.next_timeout();
                if due < BootTime::NEVER {
                    // Nothing else happens until then.
                    world.expire_waiters(&world.name, due);
                    continue;
                }
                let mut news = bell.0.lock().expect("no panic");
                while !*news {
                    news = bell.1.wait(news).expect("no panic");
                }
                *news = false;
            }
        });
        let world = &world;
        let wait = |second| move || matches!(block_on(world.queued(at(second)).wait()), WaitEnd::TimedOut(_));
        for task in (1..=tasks).rev().map(|second| scope.spawn(wait(second))).collect::<Vec<_>>() {
            assert!(task.join().expect("no panic"), "the head stays");
        }
        is_over.store(true, Ordering::SeqCst);
        ring();
    });
    world.pass_on(head, BootTime::now());
    world.close();
}

/// Tasks run out of time while nothing is known, or something becomes known just then. At most one of them is to ask, and all
/// others are told what it or the head learns, or go on.
pub(super) fn told(tasks: usize) {
    let world = World::new(rules());
    let head = world.head();
    let waiters = (0..tasks).map(|_| world.queued(at(1))).collect::<Vec<_>>();
    let asked = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (world, asked) = (&world, &asked);
        for mut waiter in waiters {
            scope.spawn(move || match block_on(waiter.wait()) {
                WaitEnd::Baton(baton) => world.turn(baton, End::Pass),
                WaitEnd::TimedOut(TimedOut::AskStore) => {
                    assert_eq!(asked.fetch_add(1, Ordering::SeqCst), 0, "two of them ask");
                    world.record_answer(&world.name);
                }
                WaitEnd::TimedOut(TimedOut::LastAnswer(_) | TimedOut::HeldHere(_)) => {}
                WaitEnd::TimedOut(TimedOut::NoAnswer) | WaitEnd::Closed => panic!("there was an answer"),
            });
        }
        scope.spawn(|| world.expire_waiters(&world.name, at(1)));
        scope.spawn(move || {
            if !tasks.is_multiple_of(2) {
                world.record_answer(&world.name);
            }
            world.pass_on(head, at(1));
        });
    });
    world.close();
}
