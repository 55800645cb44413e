//! Who is served, and when.

use std::task::{Context, Poll, Wake, Waker};

use super::*;

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let scene = scene(Rules::default());
    let head = scene.head();
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..50).map(|number| {
        let (queues, name, order) = (Arc::clone(&scene.queues), Arc::clone(&scene.name), Arc::clone(&order));
        tokio::spawn(async move {
            let Entered::Queued(mut waiter) = queues.enter(&name, BootTime::NEVER) else { panic!("the head stays") };
            let WaitEnd::Baton(_baton) = waiter.wait().await else { panic!("its turn comes") };
            lock(&order).push(number);
        })
    });
    let tasks = tasks.collect::<Vec<_>>();
    tokio::task::yield_now().await;
    assert_eq!(scene.queues.waiting(&scene.name), 50);
    drop(head);
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(*lock(&order), (0..50).collect::<Vec<_>>());
    assert!(scene.is_empty(), "no queue stays behind");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_went_away_is_skipped() {
    let scene = scene(Rules::default());
    let head = scene.head();
    let gone = (0..1000).map(|_| scene.queue(BootTime::NEVER)).collect::<Vec<_>>();
    let mut last = scene.queue(BootTime::NEVER);
    drop(gone);
    assert_eq!(scene.queues.waiting(&scene.name), 1);
    drop(head);
    assert!(now(&mut last).await.flatten().is_some());
}

#[tokio::test(start_paused = true)]
async fn waiters_that_went_away_are_swept_out_before_the_queue_has_doubled() {
    let scene = scene(Rules::default());
    let _head = scene.head();
    for _ in 0..10_000 {
        drop(scene.queue(BootTime::NEVER));
    }
    assert!(scene.with_followers(|followers| followers.waiters.len()) <= 64);
}

#[tokio::test(start_paused = true)]
async fn a_baton_sent_to_a_waiter_that_went_away_goes_on() {
    let scene = scene(Rules::default());
    let head = scene.head();
    let leaves = scene.queue(BootTime::NEVER);
    let mut stays = scene.queue(BootTime::NEVER);
    drop(head);
    // The baton is in its channel now, and it never looks.
    drop(leaves);
    drop(now(&mut stays).await.flatten().expect("it goes on"));
    drop(stays);
    assert!(scene.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_on_with_the_next_task_and_without_one_is_released() {
    let scene = scene(Rules::default());
    let mut head = scene.head();
    let mut next = scene.queue(BootTime::NEVER);
    head.set_pending(scene.pending(7));
    drop(head);
    assert_eq!(scene.released(), [0; 0]);
    let baton = now(&mut next).await.flatten().expect("its turn comes");
    assert_eq!(baton.pending().map(|pending| pending.command.lock_id.token.number), Some(7));
    drop(baton);
    assert_eq!(scene.released(), [7]);
    drop(next);
    assert!(scene.is_empty());
}

#[test]
fn a_request_that_does_not_wait_enters_only_an_idle_queue() {
    let scene = scene(Rules::default());
    let baton = scene.queues.enter_if_idle(&scene.name).expect("nobody is there");
    assert!(scene.queues.enter_if_idle(&scene.name).is_none());
    let (mut aside, pending) = (scene.queues.unqueued_baton(&scene.name), scene.pending(1));
    aside.set_pending(Arc::clone(&pending));
    aside.set_lease(lease_of(&pending));
    assert_eq!(aside.turns_expected(), 1);
    assert_eq!(aside.pass_on(BootTime::now()).as_ref().map(number), Some(1), "it is for one turn");
    drop(baton);
    assert!(scene.is_empty());
}

#[test]
fn a_head_knows_whether_others_wait_behind_it_and_take_turns_after_it() {
    let scene = scene(Rules::default());
    let head = scene.head();
    assert!(!head.has_followers() && head.turns_expected() == 1);
    let waiter = scene.queue(BootTime::NEVER);
    assert!(head.has_followers() && head.turns_expected() > 1);
    let aside = scene.queues.unqueued_baton(&scene.name);
    assert!(!aside.has_followers(), "they wait behind another");
    drop((aside, waiter, head));

    let without_turns = Rules { share: Share { turns: false, ..Share::default() }, ..Rules::default() };
    let scene = self::scene(without_turns);
    let head = scene.head();
    let _waiter = scene.queue(BootTime::NEVER);
    assert!(head.has_followers() && head.turns_expected() == 1);
}

#[test]
fn a_shutdown_ends_all_waits_though_a_waker_panics() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let scene = scene(Rules::default());
    let _head = scene.head();
    let (mut first, mut second) = (scene.queue(BootTime::NEVER), scene.queue(BootTime::NEVER));
    let mut waits = [Box::pin(first.wait()), Box::pin(second.wait())];
    let (panics, calm) = (Waker::from(Arc::new(Panics)), Waker::noop());
    let mut look = |waker| waits.each_mut().map(|wait| wait.as_mut().poll(&mut Context::from_waker(waker)));
    assert!(look(&panics).iter().all(Poll::is_pending));
    assert!(scene.queues.close().is_empty());
    let ended = |end: &Poll<WaitEnd>| matches!(end, Poll::Ready(WaitEnd::Closed));
    assert!(look(calm).iter().all(ended));
}
