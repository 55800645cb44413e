//! A task that is out of time leaves the queue.

use super::*;

fn at(second: u64) -> BootTime {
    BootTime::START.after(Duration::from_secs(second))
}

/// Tasks join while timeouts are looked for. The next look does not come too late for any of them, and sends away those whose
/// time is over and no others.
pub(super) fn in_time(world: &World) {
    let is_sent_away =
        |waiter: &mut QueuedWaiter<'_>| matches!(wait(waiter.wait(), Some(1)), Some(WaitEnd::TimedOut(_)));
    let _head = world.head();
    world.record_answer();
    let [mut first, mut second] = thread::scope(|scope| {
        let joining = [10, 20].map(|second| scope.spawn(move || world.queued(at(second))));
        world.expire_waiters(at(15));
        joining.map(|joining| joining.join().expect("no panic"))
    });
    let was_early = is_sent_away(&mut first);
    assert!(world.queues.next_timeout() <= at(if was_early { 20 } else { 10 }), "the next look comes too late");
    world.expire_waiters(at(15));
    assert!(was_early || is_sent_away(&mut first), "at 15, who waits until 10 is there yet");
    assert!(!is_sent_away(&mut second), "at 15, who waits until 20 is sent away");
    assert_eq!(world.queues.next_timeout(), at(20));
}

/// The keeper sleeps until somebody may time out or it is woken. Everybody is sent away when the time has come.
pub(super) fn keeper(world: &World, tasks: usize) {
    let (_head, is_over) = (world.head(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                match world.queues.next_timeout() {
                    BootTime::NEVER => block_on(world.book.bell.notified()),
                    // Nothing else happens until then.
                    due => world.expire_waiters(due),
                }
            }
        });
        let wait = |second| move || matches!(block_on(world.queued(at(second)).wait()), WaitEnd::TimedOut(_));
        for task in (1..=tasks as u64).rev().map(|second| scope.spawn(wait(second))).collect::<Vec<_>>() {
            assert!(task.join().expect("no panic"), "the head stays");
        }
        is_over.store(true, Ordering::SeqCst);
        world.book.bell.notify_one();
    });
}

/// Tasks run out of time while nothing is known, or something becomes known just then. At most one of them is to ask, and all
/// others are told what it or the head learns, or go on.
pub(super) fn told(world: &World, tasks: usize) {
    let (head, asked) = (world.head(), AtomicUsize::new(0));
    let waiters = (0..tasks).map(|_| world.queued(BootTime::now())).collect::<Vec<_>>();
    thread::scope(|scope| {
        let asked = &asked;
        for mut waiter in waiters {
            scope.spawn(move || match block_on(waiter.wait()) {
                WaitEnd::Baton(baton) => world.turn(baton, End::Pass),
                WaitEnd::TimedOut(TimedOut::AskStore) => {
                    assert_eq!(asked.fetch_add(1, Ordering::SeqCst), 0, "two of them ask");
                    world.record_answer();
                }
                WaitEnd::TimedOut(TimedOut::LastAnswer(_) | TimedOut::HeldHere(_)) => {}
                WaitEnd::TimedOut(TimedOut::NoAnswer) | WaitEnd::Closed => panic!("there was an answer"),
            });
        }
        scope.spawn(|| world.expire_waiters(BootTime::now()));
        scope.spawn(move || {
            if !tasks.is_multiple_of(2) {
                world.record_answer();
            }
            world.pass_on(head);
        });
    });
}
