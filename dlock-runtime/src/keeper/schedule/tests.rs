use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Wake, Waker},
};

use super::*;
use crate::{
    local::lease::Origin,
    protocol::{
        fences::Fences,
        grant::Grant,
        token::{Identity, LockId, Token},
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn lease(number: u64) -> Arc<Lease> {
    let token = Token::new(Identity::random().expect("random numbers"), number);
    let grant = Grant { asked: BootTime::now(), ttl: 60 * SECOND };
    Arc::new(Lease::new(LockId { name: "k".into(), token }, "k", Fences::new(1, 1), grant, false, Origin::default()))
}

/// The leases that are due, by their numbers.
fn due(schedule: &Schedule, now: BootTime) -> Vec<u64> {
    schedule.take_due(now).iter().map(|lease| lease.id()).collect()
}

/// Counts how often the keeper is woken.
#[derive(Default)]
struct Keeper(AtomicUsize);

impl Wake for Keeper {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn leases_come_out_when_they_are_due_with_those_that_are_due_soon() {
    let (schedule, start) = (Schedule::default(), BootTime::now());
    for (number, millis) in [(1, 3000), (2, 1000), (3, 1004), (4, 1500)] {
        schedule.add(&lease(number), start.after(Duration::from_millis(millis)));
    }
    assert_eq!(due(&schedule, start), [0; 0]);
    assert_eq!(due(&schedule, start.after(SECOND)), [2, 3], "they share a pipeline");
    assert_eq!(due(&schedule, start.after(4 * SECOND)), [4, 1]);
    assert!(schedule.is_empty());
}

#[test]
fn the_earlier_entry_wins() {
    let (schedule, start, lease) = (Schedule::default(), BootTime::now(), lease(1));
    schedule.add(&lease, start.after(2 * SECOND));
    schedule.add(&lease, start.after(3 * SECOND));
    assert_eq!(lease.due(), start.after(2 * SECOND));
    schedule.add(&lease, start.after(SECOND));
    assert_eq!(due(&schedule, start.after(SECOND)), [1]);
    assert!(schedule.is_empty(), "it stands there once");
}

#[test]
fn what_was_taken_out_can_be_entered_again() {
    let (schedule, start, lease) = (Schedule::default(), BootTime::now(), lease(1));
    schedule.add(&lease, start);
    assert_eq!(due(&schedule, start), [1]);
    schedule.add(&lease, start.after(SECOND));
    assert_eq!(due(&schedule, start.after(SECOND)), [1]);
}

#[test]
fn what_was_struck_stays_out() {
    let (schedule, start) = (Schedule::default(), BootTime::now());
    let [entered, taken_out] = [lease(1), lease(2)];
    schedule.add(&taken_out, start);
    assert_eq!(due(&schedule, start), [2]);
    schedule.add(&entered, start.after(SECOND));
    for lease in [entered, taken_out] {
        schedule.remove(&lease);
        schedule.add(&lease, start);
        assert!(lease.is_closed() && schedule.is_empty());
    }
}

#[tokio::test]
async fn the_keeper_is_woken_only_for_what_is_due_before_it_looks() {
    let (schedule, start, keeper) = (Schedule::default(), BootTime::now(), Arc::<Keeper>::default());
    let waker = Waker::from(Arc::clone(&keeper));
    let mut asleep = pin!(schedule.next_due(|| BootTime::NEVER));
    let mut look = || asleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
    assert!(!look(), "there is nothing");
    for (seconds, wakes) in [(60, true), (61, false), (50, true), (55, false), (50, false), (49, true)] {
        schedule.add(&lease(seconds), start.after(Duration::from_secs(seconds)));
        assert_eq!(keeper.0.swap(0, Ordering::SeqCst) > 0, wakes, "{seconds}");
        assert!(!look(), "nothing is due");
    }
    schedule.add(&lease(1), start);
    assert!(look());
}

#[tokio::test]
async fn leases_that_are_gone_before_the_keeper_looks_do_not_wake_it_each_time() {
    let (schedule, keeper) = (Schedule::default(), Arc::<Keeper>::default());
    let waker = Waker::from(Arc::clone(&keeper));
    let mut asleep = pin!(schedule.next_due(|| BootTime::NEVER));
    let mut look = || asleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
    assert!(!look(), "there is nothing");
    let mut wakes = 0;
    for number in 0..100 {
        let lease = lease(number);
        schedule.add(&lease, BootTime::now().after(60 * SECOND));
        schedule.remove(&lease);
        if keeper.0.swap(0, Ordering::SeqCst) > 0 {
            wakes += 1;
            assert!(!look(), "it is gone");
        }
    }
    assert_eq!(wakes, 1);
    schedule.add(&lease(100), BootTime::now().after(SECOND));
    assert!(keeper.0.load(Ordering::SeqCst) > 0, "what is due before it looks does wake it");
}

#[tokio::test]
async fn the_keeper_looks_when_somebody_else_needs_it() {
    let (schedule, start) = (Schedule::default(), BootTime::now());
    let patrol = Mutex::new(BootTime::NEVER);
    let mut asleep = pin!(schedule.next_due(|| *patrol.lock().expect("no panic")));
    let mut look = || asleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    assert!(!look());
    *patrol.lock().expect("no panic") = start;
    schedule.wake();
    assert!(look());
}

#[tokio::test]
async fn the_keeper_ends_with_the_last_lease_after_the_end_of_the_runtime() {
    let (schedule, start, held) = (Schedule::default(), BootTime::now(), lease(1));
    schedule.add(&held, start.after(60 * SECOND));
    schedule.close();
    schedule.next_due(|| BootTime::NEVER).await;
    assert!(schedule.is_closing() && !schedule.is_empty());
    let mut asleep = pin!(schedule.next_due(|| BootTime::NEVER));
    let mut look = || asleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    assert!(!look(), "there is something to keep");
    schedule.remove(&held);
    assert!(look() && schedule.is_empty());
}
