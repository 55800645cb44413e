//! Tasks that are out of time.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_out_of_time_leaves() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    scene.record_busy_answer(&head);
    let mut waiters = [1, 3, 2].map(|seconds| scene.queue(start.after(seconds * SECOND)));
    assert_eq!(scene.queues.next_timeout(), start.after(SECOND));
    scene.queues.expire_waiters(start.after(2 * SECOND));
    let [first, second, third] = &mut waiters;
    assert!(now(first).await.is_some_and(|baton| baton.is_none()), "out of time");
    assert!(now(second).await.is_none(), "it has a second yet");
    assert!(now(third).await.is_some_and(|baton| baton.is_none()), "out of time");
    assert_eq!(scene.queues.next_timeout(), start.after(3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn waiters_out_of_time_are_told_the_last_answer_and_nobody_asks() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    let mut waiters = (0..100).map(|_| scene.queue(start.after(SECOND))).collect::<Vec<_>>();
    scene.record_busy_answer(&head);
    scene.queues.expire_waiters(start.after(SECOND));
    for waiter in &mut waiters {
        let told = ended(waiter).await;
        assert!(
            matches!(told, Some(WaitEnd::TimedOut(TimedOut::LastAnswer(answer))) if matches!(*answer, Verdict::Busy(ref holder) if holder.waiters() == 7))
        );
    }
    assert_eq!(scene.queues.next_timeout(), BootTime::NEVER);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_out_of_time_is_told_that_this_process_has_the_lock() {
    let scene = scene(Rules::default());
    let ((baton, lease), start) = (scene.head_with_lease(1), BootTime::now());
    let mut waiters = [1, 2].map(|seconds| scene.queue(start.after(seconds * SECOND)));
    let terms = Overrides::default().resolve(&Defaults::default()).expect("valid");
    let runtime = Runtime::builder().embedded().build().await.expect("it takes no store");
    let host: Arc<dyn Host> = Arc::clone(&runtime.0) as _;
    let taker = Taker { host: Obligation::of(host), key: "k".into(), purpose: "", terms };
    let opening = Opening::of(&baton, &taker.terms, Some(start), start).expect("there is a lease");
    let turn = Turn::begin(baton, opening, taker, start);
    assert!(scene.queues.held_here(&scene.name, start).is_some());
    scene.queues.expire_waiters(start.after(SECOND));
    let told = ended(&mut waiters[0]).await;
    assert!(matches!(told, Some(WaitEnd::TimedOut(TimedOut::HeldHere(held))) if Arc::ptr_eq(&held, &lease)));
    // Between two turns the lock is nobody's.
    drop(turn.end(start));
    assert!(scene.queues.held_here(&scene.name, start).is_none());
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_known_one_of_the_waiters_out_of_time_asks_for_all() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    let mut waiters = (0..100).map(|_| scene.queue(start.after(SECOND))).collect::<Vec<_>>();
    scene.queues.expire_waiters(start.after(SECOND));
    let mut scouts = 0;
    let mut others = Vec::new();
    for mut waiter in waiters.drain(..) {
        match ended(&mut waiter).await {
            Some(WaitEnd::TimedOut(TimedOut::AskStore)) => scouts += 1,
            None => others.push(waiter),
            Some(_) => panic!("nothing is known"),
        }
    }
    assert_eq!((scouts, others.len()), (1, 99));
    assert_eq!(scene.queues.next_timeout(), start.after(SECOND + GRACE));
    // Others whose time is over meanwhile wait for the same answer.
    let mut late = scene.queue(start.after(SECOND + GRACE / 2));
    scene.queues.expire_waiters(start.after(SECOND + GRACE / 2));
    assert!(ended(&mut late).await.is_none());
    scene.record_busy_answer(&head);
    others.push(late);
    for waiter in &mut others {
        assert!(matches!(ended(waiter).await, Some(WaitEnd::TimedOut(TimedOut::LastAnswer(_)))));
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_out_of_time_wait_for_an_answer_no_longer_than_the_grace() {
    let scene = scene(Rules::default());
    let (_head, start) = (scene.head(), BootTime::now());
    let mut waiters = [(); 3].map(|()| scene.queue(start.after(SECOND)));
    scene.queues.expire_waiters(start.after(SECOND));
    scene.queues.expire_waiters(start.after(SECOND + GRACE));
    assert!(matches!(ended(&mut waiters[0]).await, Some(WaitEnd::TimedOut(TimedOut::AskStore))));
    assert!(matches!(ended(&mut waiters[1]).await, Some(WaitEnd::TimedOut(TimedOut::NoAnswer))));
    assert!(matches!(ended(&mut waiters[2]).await, Some(WaitEnd::TimedOut(TimedOut::NoAnswer))));
    assert_eq!(scene.queues.next_timeout(), BootTime::NEVER);
}

#[tokio::test(start_paused = true)]
async fn a_baton_without_a_lease_skips_waiters_out_of_time() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    let mut late = [(); 50].map(|()| scene.queue(start.after(SECOND)));
    let mut in_time = scene.queue(start.after(9 * SECOND));
    scene.record_busy_answer(&head);
    assert!(head.pass_on(start.after(2 * SECOND)).is_none());
    assert!(now(&mut in_time).await.flatten().is_some());
    for waiter in &mut late {
        assert!(matches!(ended(waiter).await, Some(WaitEnd::TimedOut(TimedOut::LastAnswer(_)))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_stops_neither_the_baton_nor_the_timeouts() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
    let panicking = |waiter: &mut QueuedWaiter<'_>| {
        let mut pass = Box::pin(waiter.wait());
        assert!(pass.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    };
    let mut waiters = [1, 1, 9, 9].map(|seconds| scene.queue(start.after(seconds * SECOND)));
    panicking(&mut waiters[0]);
    panicking(&mut waiters[2]);
    scene.record_busy_answer(&head);
    scene.queues.expire_waiters(start.after(SECOND));
    assert!(matches!(ended(&mut waiters[1]).await, Some(WaitEnd::TimedOut(_))), "the next one is told");
    assert!(head.pass_on(start.after(SECOND)).is_none());
    let [_, _, third, fourth] = &mut waiters;
    let baton = now(third).await.flatten().expect("it has the baton all the same");
    drop(baton);
    assert!(now(fourth).await.flatten().is_some());
}

/// Times out as many waiters, one after another, while others are served. How much was looked at.
fn work_of(waiters: u32) -> usize {
    let scene = scene(Rules { waiters_per_key: 1_000_000, waiters: 1_000_000, ..Rules::default() });
    let (head, start) = (scene.head(), BootTime::now());
    let at = |number: u32| start.after(SECOND + number * Duration::from_micros(10));
    // In an order in which neither the first nor the last in the queue is the next one to go.
    let queue = (0..waiters).map(|number| scene.queue(at(number.wrapping_mul(7919) % waiters))).collect::<Vec<_>>();
    scene.record_busy_answer(&head);
    let before = scene.with_followers(|followers| followers.waiters.work);
    for number in 0..waiters {
        scene.queues.expire_waiters(at(number));
    }
    let work = scene.with_followers(|followers| followers.waiters.work) - before;
    assert_eq!(scene.queues.waiting(&scene.name), 0);
    drop(queue);
    work
}

#[test]
fn a_timeout_costs_the_same_however_many_wait() {
    let (few, many) = (work_of(1_000), work_of(10_000));
    // At least once for each: the work is counted.
    assert!((1_000..=4_000).contains(&few) && (10_000..=40_000).contains(&many), "{few} and {many}");
}

#[test]
fn deadlines_of_waiters_that_were_served_do_not_pile_up() {
    let scene = scene(Rules::default());
    let (mut baton, start) = (scene.head(), BootTime::now());
    let mut queue = VecDeque::new();
    for number in 0..10_000_u64 {
        queue.push_back(scene.queue(start.after(SECOND + Duration::from_millis(number))));
        if queue.len() > 4 {
            let mut next = queue.pop_front().expect("there are some");
            assert!(baton.pass_on(start).is_none());
            baton =
                match tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(next.wait()) {
                    WaitEnd::Baton(baton) => baton,
                    WaitEnd::TimedOut(_) | WaitEnd::Closed => panic!("its turn has come"),
                };
        }
    }
    assert!(scene.with_followers(|followers| followers.waiters.work) <= 60_000);
    assert!(lock(&scene.queues.shards[shard_of(&scene.name)]).checks.len() <= 70);
}

#[tokio::test(start_paused = true)]
async fn the_keeper_is_woken_only_for_an_earlier_timeout() {
    let scene = scene(Rules::default());
    let _head = scene.head();
    let start = BootTime::now();
    let calls = [(3, 1), (4, 1), (3, 1), (2, 2)];
    let _waiters = calls.map(|(seconds, calls)| {
        let waiter = scene.queue(start.after(seconds * SECOND));
        assert_eq!(scene.wakeups.load(Ordering::SeqCst), calls);
        waiter
    });
}

#[test]
fn the_last_answer_is_for_the_queue_and_until_the_process_has_the_lock() {
    let scene = scene(Rules::default());
    let (mut head, pending) = (scene.head(), scene.pending(1));
    assert!(head.last_answer().is_none());
    scene.record_busy_answer(&head);
    assert!(head.last_answer().is_some());
    assert!(scene.queues.unqueued_baton(&scene.name).last_answer().is_none(), "it asks for itself");
    head.set_pending(Arc::clone(&pending));
    head.set_lease(lease_of(&pending));
    assert!(head.remove_lease().is_some() && head.last_answer().is_none(), "it holds no more");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_old_is_told_to_nobody() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    let until = start.after(SECOND);
    let mut waiter = scene.queue(until);
    head.record_answer(LastAnswer { verdict: Verdict::Busy(Holder::new(None, None, 7)), at: start, until });
    scene.queues.expire_waiters(until);
    assert!(matches!(ended(&mut waiter).await, Some(WaitEnd::TimedOut(TimedOut::AskStore))));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_went_away_is_not_the_one_that_asks_for_all() {
    let scene = scene(Rules::default());
    let (_head, start) = (scene.head(), BootTime::now());
    let gone = scene.queue(start.after(SECOND));
    let mut stays = scene.queue(start.after(SECOND));
    drop(gone);
    scene.queues.expire_waiters(start.after(SECOND));
    assert!(matches!(ended(&mut stays).await, Some(WaitEnd::TimedOut(TimedOut::AskStore))));
}

#[tokio::test(start_paused = true)]
async fn checks_that_are_out_of_date_do_not_pile_up_and_the_one_that_counts_stays() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), BootTime::now());
    scene.record_busy_answer(&head);
    // Each is to be looked at earlier than the one before. There is room for 2 times the queues and 64 more.
    let mut waiters = (1..=68).rev().map(|second| scene.queue(start.after(second * SECOND))).collect::<Vec<_>>();
    assert_eq!(scene.queues.shard(&scene.name).checks.len(), 1, "the last one swept the others out");
    scene.queues.expire_waiters(start.after(SECOND));
    assert!(ended(waiters.last_mut().expect("there are some")).await.is_some());
    assert_eq!(scene.queues.next_timeout(), start.after(2 * SECOND));
}
