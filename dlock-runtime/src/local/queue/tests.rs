//! Lines, places and what is in them. That it holds in any order of steps is checked in `tests/gate`.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::{
    Runtime,
    local::turn::{Host, Obligation, Opening, Taker, Turn},
    protocol::{
        fences::Fences,
        grant::Grant,
        token::{Identity, Token},
    },
    store::Claim,
    types::{
        holder::Holder,
        options::{Defaults, Wishes},
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// A gate, what places left to the store there, and how often the patrol was called.
struct Scene {
    gates: Arc<Gates>,
    name: Arc<str>,
    left: Arc<Mutex<Vec<Left>>>,
    calls: Arc<AtomicUsize>,
}

fn scene(rules: Rules) -> Scene {
    let (left, calls) = (Arc::<Mutex<Vec<Left>>>::default(), Arc::<AtomicUsize>::default());
    let (store, keeper) = (Arc::clone(&left), Arc::clone(&calls));
    let call = move || _ = keeper.fetch_add(1, Ordering::SeqCst);
    Scene {
        gates: Arc::new(Gates::new(rules, move |gone| lock(&store).push(gone), call)),
        name: "k".into(),
        left,
        calls,
    }
}

fn lingering() -> Rules {
    Rules { linger: SECOND, ..Rules::default() }
}

impl Scene {
    fn head(&self) -> Place {
        match self.gates.enter(&self.name, Moment::NEVER) {
            Entrance::Head(place) => place,
            Entrance::Queue(_) | Entrance::Full => panic!("somebody is there"),
        }
    }

    fn queue(&self, until: Moment) -> Turnstile<'_> {
        match self.gates.enter(&self.name, until) {
            Entrance::Queue(turnstile) => turnstile,
            Entrance::Head(_) => panic!("nobody is there"),
            Entrance::Full => panic!("there is no room"),
        }
    }

    fn is_full(&self) -> bool {
        matches!(self.gates.enter(&self.name, Moment::NEVER), Entrance::Full)
    }

    fn ask(&self, number: u64) -> Arc<Ask> {
        let token = Token { identity: Identity::random().expect("random numbers"), number };
        let claim = Claim {
            ticket: Ticket { name: Arc::clone(&self.name), token },
            ttl: 10 * SECOND,
            fences: 1,
            who: String::new(),
            waits: true,
            sent: AtomicBool::new(false),
            doubled: AtomicBool::new(false),
        };
        Arc::new(Ask::new(claim, "k"))
    }

    /// The head asks, and gets a lease.
    fn head_with_lease(&self, number: u64) -> (Place, Arc<Lease>) {
        let (mut place, ask) = (self.head(), self.ask(number));
        place.begin_to_ask(Arc::clone(&ask));
        let lease = lease_of(&ask);
        place.take_lease(Arc::clone(&lease));
        (place, lease)
    }

    /// The numbers of the leases and requests that were left to the store.
    fn left(&self) -> Vec<u64> {
        let mut left = lock(&self.left);
        left.drain(..).map(|left| number(&left)).collect()
    }

    fn with_crowd<T>(&self, look: impl FnOnce(&mut line::Crowd) -> T) -> T {
        let mut shard = self.gates.shard(&self.name);
        look(shard.lines.get_mut(&self.name).and_then(|line| line.crowd.as_mut()).expect("somebody is in line"))
    }

    /// The store says that somebody else holds the lock.
    fn learn_busy(&self, head: &Place) {
        let verdict = Verdict::Busy(Holder::new(None, None, 7));
        let at = Moment::now();
        head.learn(Known { verdict, at, until: at.after(60 * SECOND) });
    }

    fn is_deserted(&self) -> bool {
        self.gates.shards.iter().all(|shard| lock(shard).lines.is_empty())
            && self.gates.waiters.load(Ordering::SeqCst) == 0
    }
}

fn lease_of(ask: &Ask) -> Arc<Lease> {
    let grant = Grant { asked: Moment::now(), ttl: ask.claim.ttl };
    Arc::new(Lease::new(ask.claim.ticket.clone(), "k", Fences::new(1, 100), grant, false, None))
}

fn number(left: &Left) -> u64 {
    match left {
        Left::Lease(lease) => lease.id(),
        Left::Ask(ask) => ask.claim.ticket.token.number,
    }
}

/// How the wait ended, if it has by now.
async fn ended(turnstile: &mut Turnstile<'_>) -> Option<Pass> {
    tokio::time::timeout(Duration::ZERO, turnstile.pass()).await.ok()
}

/// The place, if it is there by now, or nothing if there is none to come.
async fn now(turnstile: &mut Turnstile<'_>) -> Option<Option<Place>> {
    let place = |pass| if let Pass::Place(place) = pass { Some(place) } else { None };
    ended(turnstile).await.map(place)
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let scene = scene(Rules::default());
    let head = scene.head();
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..50).map(|number| {
        let (gates, name, order) = (Arc::clone(&scene.gates), Arc::clone(&scene.name), Arc::clone(&order));
        tokio::spawn(async move {
            let Entrance::Queue(mut turnstile) = gates.enter(&name, Moment::NEVER) else { panic!("the head stays") };
            let Pass::Place(_place) = turnstile.pass().await else { panic!("its turn comes") };
            lock(&order).push(number);
        })
    });
    let tasks = tasks.collect::<Vec<_>>();
    tokio::task::yield_now().await;
    assert_eq!(scene.gates.waiting(&scene.name), 50);
    drop(head);
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(*lock(&order), (0..50).collect::<Vec<_>>());
    assert!(scene.is_deserted(), "no line stays behind");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_line_is_skipped() {
    let scene = scene(Rules::default());
    let head = scene.head();
    let gone = (0..1000).map(|_| scene.queue(Moment::NEVER)).collect::<Vec<_>>();
    let mut last = scene.queue(Moment::NEVER);
    drop(gone);
    assert_eq!(scene.gates.waiting(&scene.name), 1);
    drop(head);
    assert!(now(&mut last).await.flatten().is_some());
}

#[tokio::test(start_paused = true)]
async fn who_left_is_forgotten_before_the_line_has_doubled() {
    let scene = scene(Rules::default());
    let _head = scene.head();
    for _ in 0..10_000 {
        drop(scene.queue(Moment::NEVER));
    }
    assert!(scene.with_crowd(|crowd| crowd.queue.len()) <= 64);
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_time_leaves() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), Moment::now());
    scene.learn_busy(&head);
    let mut waiters = [1, 3, 2].map(|seconds| scene.queue(start.after(seconds * SECOND)));
    assert_eq!(scene.gates.patrol_at(), start.after(SECOND));
    scene.gates.patrol(start.after(2 * SECOND));
    let [first, second, third] = &mut waiters;
    assert!(now(first).await.is_some_and(|place| place.is_none()), "out of time");
    assert!(now(second).await.is_none(), "it has a second yet");
    assert!(now(third).await.is_some_and(|place| place.is_none()), "out of time");
    assert_eq!(scene.gates.patrol_at(), start.after(3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_time_is_told_what_the_head_knows_and_nobody_asks() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), Moment::now());
    let mut waiters = (0..100).map(|_| scene.queue(start.after(SECOND))).collect::<Vec<_>>();
    scene.learn_busy(&head);
    scene.gates.patrol(start.after(SECOND));
    for waiter in &mut waiters {
        let told = ended(waiter).await;
        assert!(matches!(told, Some(Pass::Over(Over::Known(Verdict::Busy(holder)))) if holder.waiters() == 7));
    }
    assert_eq!(scene.gates.patrol_at(), Moment::NEVER);
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_time_is_told_that_this_process_has_the_lock() {
    let scene = scene(Rules::default());
    let ((place, lease), start) = (scene.head_with_lease(1), Moment::now());
    let mut waiters = [1, 2].map(|seconds| scene.queue(start.after(seconds * SECOND)));
    let terms = Wishes::default().on(&Defaults::default()).expect("valid");
    let runtime = Runtime::builder().embedded().build().await.expect("it takes no store");
    let host: Arc<dyn Host> = Arc::clone(&runtime.0) as _;
    let taker = Taker { host: Obligation::of(host), key: "k".into(), purpose: "", terms };
    let opening = Opening::of(&place, &taker.terms, Some(start), start).expect("there is a lease");
    let turn = Turn::begin(place, opening, taker, start);
    assert!(scene.gates.held_here(&scene.name, start).is_some());
    scene.gates.patrol(start.after(SECOND));
    let told = ended(&mut waiters[0]).await;
    assert!(matches!(told, Some(Pass::Over(Over::HeldHere(held))) if Arc::ptr_eq(&held, &lease)));
    // Between two turns the lock is nobody's.
    drop(turn.end(start));
    assert!(scene.gates.held_here(&scene.name, start).is_none());
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_known_one_of_those_out_of_time_asks_for_all() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), Moment::now());
    let mut waiters = (0..100).map(|_| scene.queue(start.after(SECOND))).collect::<Vec<_>>();
    scene.gates.patrol(start.after(SECOND));
    let mut scouts = 0;
    let mut others = Vec::new();
    for mut waiter in waiters.drain(..) {
        match ended(&mut waiter).await {
            Some(Pass::Over(Over::Ask)) => scouts += 1,
            None => others.push(waiter),
            Some(_) => panic!("nothing is known"),
        }
    }
    assert_eq!((scouts, others.len()), (1, 99));
    assert_eq!(scene.gates.patrol_at(), start.after(SECOND + GRACE));
    // Others whose time is over meanwhile wait for the same answer.
    let mut late = scene.queue(start.after(SECOND + GRACE / 2));
    scene.gates.patrol(start.after(SECOND + GRACE / 2));
    assert!(ended(&mut late).await.is_none());
    scene.learn_busy(&head);
    others.push(late);
    for waiter in &mut others {
        assert!(matches!(ended(waiter).await, Some(Pass::Over(Over::Known(_)))));
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_in_time_there_is_none() {
    let scene = scene(Rules::default());
    let (_head, start) = (scene.head(), Moment::now());
    let mut waiters = [(); 3].map(|()| scene.queue(start.after(SECOND)));
    scene.gates.patrol(start.after(SECOND));
    scene.gates.patrol(start.after(SECOND + GRACE));
    assert!(matches!(ended(&mut waiters[0]).await, Some(Pass::Over(Over::Ask))));
    assert!(matches!(ended(&mut waiters[1]).await, Some(Pass::Over(Over::Unknown))));
    assert!(matches!(ended(&mut waiters[2]).await, Some(Pass::Over(Over::Unknown))));
    assert_eq!(scene.gates.patrol_at(), Moment::NEVER);
}

#[tokio::test(start_paused = true)]
async fn a_place_without_a_lease_goes_past_those_who_are_out_of_time() {
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), Moment::now());
    let mut late = [(); 50].map(|()| scene.queue(start.after(SECOND)));
    let mut in_time = scene.queue(start.after(9 * SECOND));
    scene.learn_busy(&head);
    assert!(head.pass(start.after(2 * SECOND)).is_none());
    assert!(now(&mut in_time).await.flatten().is_some());
    for waiter in &mut late {
        assert!(matches!(ended(waiter).await, Some(Pass::Over(Over::Known(_)))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_takes_neither_the_place_nor_the_patrol_along() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let scene = scene(Rules::default());
    let (head, start) = (scene.head(), Moment::now());
    let waker = std::task::Waker::from(std::sync::Arc::new(Panics));
    let panicking = |turnstile: &mut Turnstile<'_>| {
        let mut pass = Box::pin(turnstile.pass());
        assert!(pass.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    };
    let mut waiters = [1, 1, 9, 9].map(|seconds| scene.queue(start.after(seconds * SECOND)));
    panicking(&mut waiters[0]);
    panicking(&mut waiters[2]);
    scene.learn_busy(&head);
    scene.gates.patrol(start.after(SECOND));
    assert!(matches!(ended(&mut waiters[1]).await, Some(Pass::Over(_))), "the next one is told");
    assert!(head.pass(start.after(SECOND)).is_none());
    let [_, _, third, fourth] = &mut waiters;
    let place = now(third).await.flatten().expect("it has the place all the same");
    drop(place);
    assert!(now(fourth).await.flatten().is_some());
}

/// Runs out of time with as many waiters, one after another, while others are served. How much was looked at.
fn work_of(waiters: u32) -> usize {
    let scene = scene(Rules { waiters_per_key: 1_000_000, waiters: 1_000_000, ..Rules::default() });
    let (head, start) = (scene.head(), Moment::now());
    let at = |number: u32| start.after(SECOND + number * Duration::from_micros(10));
    // In an order in which neither the first nor the last in line is the next one to go.
    let line = (0..waiters).map(|number| scene.queue(at(number.wrapping_mul(7919) % waiters))).collect::<Vec<_>>();
    scene.learn_busy(&head);
    let before = scene.with_crowd(|crowd| crowd.queue.work);
    for number in 0..waiters {
        scene.gates.patrol(at(number));
    }
    let work = scene.with_crowd(|crowd| crowd.queue.work) - before;
    assert_eq!(scene.gates.waiting(&scene.name), 0);
    drop(line);
    work
}

#[test]
fn sending_away_those_out_of_time_costs_each_the_same_however_many_wait() {
    let (few, many) = (work_of(1_000), work_of(10_000));
    assert!(few <= 4_000 && many <= 40_000, "{few} and {many}");
}

/// As many tasks join and are served, with a few in line at any time. How much was looked at, and the most that was kept.
#[test]
fn deadlines_of_those_who_were_served_do_not_pile_up() {
    let scene = scene(Rules::default());
    let (mut place, start) = (scene.head(), Moment::now());
    let mut line = VecDeque::new();
    for number in 0..10_000_u64 {
        line.push_back(scene.queue(start.after(SECOND + Duration::from_millis(number))));
        if line.len() > 4 {
            let mut next = line.pop_front().expect("there are some");
            assert!(place.pass(start).is_none());
            place =
                match tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(next.pass()) {
                    Pass::Place(place) => place,
                    Pass::Over(_) | Pass::Closed => panic!("its turn has come"),
                };
        }
    }
    assert!(scene.with_crowd(|crowd| crowd.queue.work) <= 60_000);
    assert!(lock(&scene.gates.shards[shard_of(&scene.name)]).alarms.len() <= 70);
}

#[test]
fn names_that_differ_anywhere_are_spread_over_the_shards() {
    let forms: [fn(u32) -> String; 4] = [
        |number| format!("user:{number}:settings"),
        |number| format!("{number}"),
        |number| format!("shop:{{tenant-{number}}}:a-long-name-that-is-the-same-for-each-of-them"),
        |number| format!("x:{:08}", number * 16),
    ];
    for form in forms {
        let mut shards = [0; SHARDS];
        (0..1600).for_each(|number| shards[shard_of(&form(number))] += 1);
        assert!(shards.iter().all(|&count| (50..=200).contains(&count)), "{}: {shards:?}", form(0));
    }
}

#[tokio::test(start_paused = true)]
async fn the_patrol_is_called_only_for_who_is_out_of_time_earlier() {
    let scene = scene(Rules::default());
    let _head = scene.head();
    let start = Moment::now();
    let calls = [(3, 1), (4, 1), (3, 1), (2, 2)];
    let _waiters = calls.map(|(seconds, calls)| {
        let waiter = scene.queue(start.after(seconds * SECOND));
        assert_eq!(scene.calls.load(Ordering::SeqCst), calls);
        waiter
    });
}

#[tokio::test(start_paused = true)]
async fn a_place_that_was_handed_to_somebody_who_left_goes_on() {
    let scene = scene(Rules::default());
    let head = scene.head();
    let leaves = scene.queue(Moment::NEVER);
    let mut stays = scene.queue(Moment::NEVER);
    drop(head);
    // The place is in its channel now, and it never looks.
    drop(leaves);
    drop(now(&mut stays).await.flatten().expect("it goes on"));
    drop(stays);
    assert!(scene.is_deserted());
}

#[tokio::test(start_paused = true)]
async fn a_request_goes_on_with_the_next_task_and_what_nobody_goes_on_with_is_left() {
    let scene = scene(Rules::default());
    let mut head = scene.head();
    let mut next = scene.queue(Moment::NEVER);
    head.begin_to_ask(scene.ask(7));
    drop(head);
    assert_eq!(scene.left(), [0; 0]);
    let place = now(&mut next).await.flatten().expect("its turn comes");
    assert_eq!(place.ask().map(|ask| ask.claim.ticket.token.number), Some(7));
    drop(place);
    assert_eq!(scene.left(), [7]);
    drop(next);
    assert!(scene.is_deserted());
}

#[tokio::test(start_paused = true)]
async fn a_lease_goes_from_task_to_task_until_it_is_wanted_elsewhere() {
    let scene = scene(Rules { share: Share { longest: Duration::ZERO, ..Share::default() }, ..Rules::default() });
    let (place, lease) = scene.head_with_lease(1);
    let mut waiters = [(); 2].map(|()| scene.queue(Moment::NEVER));
    assert!(place.pass(Moment::now()).is_none(), "it goes on");
    let place = now(&mut waiters[0]).await.flatten().expect("its turn comes");
    assert!(place.lease().is_some_and(|known| Arc::ptr_eq(known, &lease)));
    assert!(scene.gates.wanted(&lease.ticket, Moment::now()).is_none(), "it is in use");
    assert_eq!(place.pass(Moment::now()).as_ref().map(number), Some(1), "somebody else is served first");
    let place = now(&mut waiters[1]).await.flatten().expect("its turn comes");
    assert!(place.lease().is_none() && !place.rests);
}

#[tokio::test(start_paused = true)]
async fn after_a_second_without_a_break_the_lock_goes_free_for_a_moment() {
    let scene = scene(Rules::default());
    let (place, lease) = scene.head_with_lease(1);
    let (mut next, mut last) = (scene.queue(Moment::NEVER), scene.queue(Moment::NEVER));
    let terms = Wishes::default().on(&Defaults::default()).expect("valid");
    let turn = |lease: &Lease| lease.begin(&terms, None, lease.taken);
    assert!(turn(&lease).is_some());
    assert!(place.pass(lease.taken.after(SECOND)).is_none(), "the first turn is passed on, however long it took");
    let place = now(&mut next).await.flatten().expect("its turn comes");
    assert!(turn(&lease).is_some());
    assert_eq!(place.pass(lease.taken.after(SECOND)).as_ref().map(number), Some(1));
    assert!(now(&mut last).await.flatten().expect("its turn comes").rests);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_over_is_not_passed_on() {
    let scene = scene(lingering());
    let (place, lease) = scene.head_with_lease(1);
    let mut next = scene.queue(Moment::NEVER);
    lease.lose(crate::types::error::LostReason::Gone);
    assert_eq!(place.pass(Moment::now()).as_ref().map(number), Some(1));
    assert!(now(&mut next).await.flatten().expect("its turn comes").lease().is_none());
}

#[test]
fn an_idle_lease_is_kept_and_used_again() {
    let scene = scene(lingering());
    let ((place, lease), start) = (scene.head_with_lease(1), Moment::now());
    assert!(place.pass(start).is_none());
    assert_eq!(scene.gates.parked_until(&lease), Some(start.after(SECOND)));
    let place = scene.gates.enter_first(&scene.name).expect("nobody is there");
    assert!(place.lease().is_some_and(|known| Arc::ptr_eq(known, &lease)));
    assert_eq!(scene.gates.parked_until(&lease), None);
    assert!(scene.gates.unpark(&lease).is_none(), "it is in use");
    drop(place);
    assert!(scene.gates.unpark(&lease).is_some());
    assert!(scene.gates.unpark(&lease).is_none(), "once");
    assert!(scene.is_deserted());
}

#[test]
fn an_idle_lease_is_given_back_when_it_is_wanted_elsewhere() {
    let scene = scene(lingering());
    let (place, lease) = scene.head_with_lease(1);
    assert!(place.pass(Moment::now()).is_none());
    assert!(scene.gates.wanted(&scene.ask(1).claim.ticket, Moment::now()).is_none(), "that is another's");
    assert!(scene.gates.wanted(&lease.ticket, Moment::now()).is_some());
    let (place, lease) = scene.head_with_lease(2);
    assert!(scene.gates.wanted(&lease.ticket, Moment::now()).is_none(), "it is in use");
    assert_eq!(place.pass(Moment::now()).as_ref().map(number), Some(2), "it is not kept");
    assert!(scene.is_deserted());
}

#[test]
fn without_linger_nothing_is_kept() {
    let scene = scene(Rules::default());
    let (place, _) = scene.head_with_lease(1);
    assert_eq!(place.pass(Moment::now()).as_ref().map(number), Some(1));
    assert!(scene.is_deserted());
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nobody_waits_and_nothing_is_kept() {
    let scene = scene(lingering());
    let (place, _) = scene.head_with_lease(1);
    let mut waiter = scene.queue(Moment::NEVER);
    assert!(scene.gates.close().is_empty(), "it is in use");
    assert!(now(&mut waiter).await.is_some_and(|place| place.is_none()), "it is sent away");
    drop(waiter);
    assert!(scene.head().lease().is_none(), "who comes is let through, to be refused");
    assert_eq!(place.pass(Moment::now()).as_ref().map(number), Some(1));
    assert!(scene.is_deserted());
}

#[test]
fn the_end_takes_out_what_is_parked() {
    let scene = scene(lingering());
    let (place, _) = scene.head_with_lease(1);
    assert!(place.pass(Moment::now()).is_none());
    assert_eq!(scene.gates.close().iter().map(|lease| lease.id()).collect::<Vec<_>>(), [1]);
    assert!(scene.is_deserted());
}

#[test]
fn a_message_finds_whoever_asks_and_whoever_got_the_lock_by_a_reply() {
    let scene = scene(Rules::default());
    let (mut place, ask) = (scene.head(), scene.ask(1));
    let granted = |ticket: &Ticket| scene.gates.granted(ticket, 5, 0, 9);
    assert!(!granted(&ask.claim.ticket), "nobody asks");
    place.begin_to_ask(Arc::clone(&ask));
    ask.leaves(Moment::now());
    assert!(granted(&ask.claim.ticket) && !granted(&scene.ask(1).claim.ticket));
    assert_eq!(ask.take_grant().map(|grant| grant.fence), Some(5));
    scene.gates.free(&scene.ask(1).claim.ticket);
    assert!(!ask.take_free(), "that was for another");
    scene.gates.free(&ask.claim.ticket);
    assert!(ask.take_free());
    ask.not_yet(Moment::now(), 1);
    place.take_lease(lease_of(&ask));
    assert!(granted(&ask.claim.ticket), "it is in use");
}

#[test]
fn a_lease_in_use_is_known_however_many_were_taken_since() {
    let scene = scene(Rules::default());
    let take = |scene: &Scene, number| {
        let (mut place, ask) = (scene.head(), scene.ask(number));
        place.begin_to_ask(Arc::clone(&ask));
        ask.not_yet(Moment::now(), 1);
        place.take_lease(lease_of(&ask));
        (place, ask.claim.ticket.clone())
    };
    let (place, ticket) = take(&scene, 0);
    let others = (1..=TAKEN as u64).map(|number| {
        let name = format!("other {number}").into();
        take(&Scene { name, gates: Arc::clone(&scene.gates), ..self::scene(Rules::default()) }, number)
    });
    let others = others.collect::<Vec<_>>();
    assert!(scene.gates.granted(&ticket, 5, 0, 9), "it is in use");
    drop(place);
    assert!(!scene.gates.granted(&ticket, 5, 0, 9), "it is over for long");
    let (last, ticket) = &others[TAKEN - 1];
    assert!(last.lease().is_some() && scene.gates.granted(ticket, 5, 0, 9));
}

#[test]
fn a_lease_is_told_that_it_is_wanted_though_the_message_was_here_first() {
    let scene = scene(Rules::default());
    let (mut place, ask) = (scene.head(), scene.ask(1));
    place.begin_to_ask(Arc::clone(&ask));
    assert!(scene.gates.wanted(&ask.claim.ticket, Moment::now()).is_none());
    let lease = lease_of(&ask);
    place.take_lease(Arc::clone(&lease));
    assert!(lease.is_wanted());
}

#[test]
fn who_does_not_wait_enters_only_where_nobody_is() {
    let scene = scene(Rules::default());
    let place = scene.gates.enter_first(&scene.name).expect("nobody is there");
    assert!(scene.gates.enter_first(&scene.name).is_none());
    let (mut aside, ask) = (scene.gates.aside(&scene.name), scene.ask(1));
    aside.begin_to_ask(Arc::clone(&ask));
    aside.take_lease(lease_of(&ask));
    assert!(!aside.has_followers());
    assert_eq!(aside.pass(Moment::now()).as_ref().map(number), Some(1), "it is for one turn");
    drop(place);
    assert!(scene.is_deserted());
}

#[test]
fn no_more_than_so_many_wait_for_one_lock() {
    let scene = scene(Rules { waiters_per_key: 3, ..Rules::default() });
    // The head waits too, for the store.
    let mut head = scene.head();
    let waiters = [(); 2].map(|()| scene.queue(Moment::NEVER));
    assert!(scene.is_full());
    drop(waiters);
    let waiters = [(); 2].map(|()| scene.queue(Moment::NEVER));
    let ask = scene.ask(1);
    head.begin_to_ask(Arc::clone(&ask));
    assert!(scene.is_full());
    head.take_lease(lease_of(&ask));
    let third = scene.queue(Moment::NEVER);
    assert!(scene.is_full());
    drop((waiters, third, head));
    assert!(scene.is_deserted());
}

#[test]
fn no_more_than_so_many_wait_in_all() {
    let scene = scene(Rules { waiters: 2, ..Rules::default() });
    let other = Scene { name: "other".into(), gates: Arc::clone(&scene.gates), ..self::scene(Rules::default()) };
    let heads = [scene.head(), other.head()];
    let first = scene.queue(Moment::NEVER);
    let second = other.queue(Moment::NEVER);
    assert!(scene.is_full() && other.is_full());
    drop(first);
    let third = other.queue(Moment::NEVER);
    assert!(scene.is_full() && other.is_full());
    drop((heads, second, third));
    assert!(scene.is_deserted());
}
