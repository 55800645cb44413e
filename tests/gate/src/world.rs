//! The local queues, and the tasks that come to them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};

use shuttle::future::block_on;

use super::{
    super::{
        Baton, Entered, LocalQueue, LocalQueues, QueuedWaiter, Rules, Shard, Share, ToRelease, WaitEnd, Wakeups, lock,
    },
    book::{Arrival, Book},
};
use crate::{
    local::{
        lease::Lease,
        turn::{Host, Obligation, Obligor, Opening, Taker, Turn},
    },
    observe::Observer,
    protocol::token::{Identity, LockId, Token},
    sync::{Arc, scheduled::is_weakened},
    types::{
        boot_time::BootTime,
        options::{Terms, Wait},
    },
};

pub(super) const TTL: Duration = Duration::from_secs(10);

/// The queues and all that happens in them.
pub(super) struct World {
    pub(super) queues: Arc<LocalQueues>,
    pub(super) book: Arc<Book>,
    /// The queue that most come to.
    pub(super) name: Arc<str>,
    runtime: Arc<Process>,
    identity: Identity,
}

/// How a task behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// It waits in the queue, or goes on without it.
    pub(super) queues: bool,
    /// How often it looks for its baton before it goes away; `None` if it stays.
    pub(super) looks: Option<usize>,
    pub(super) end: End,
}

/// How it leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It passes the baton on after its turn.
    Pass,
    /// It drops the baton: it was cancelled during its turn.
    Drop,
    /// It is cancelled while it asks the store.
    DropAsking,
    /// It drops the baton as soon as it has it, so that the queue often ends when somebody joins.
    Unused,
}

/// Leases go on after two turns if others wait for them.
pub(super) fn rules() -> Rules {
    Rules { share: Share { most_turns: 2, ..Share::default() }, ..Rules::default() }
}

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        Self::calling(rules, || {})
    }

    /// With a keeper that is woken for timeouts.
    pub(super) fn calling(rules: Rules, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let book = Arc::new(Book::default());
        let left = Arc::clone(&book);
        let release = move |gone| {
            if !is_weakened("a_dropped_baton_leaves_nothing_to_the_store") {
                left.leave(Some(gone));
            }
        };
        let wake = move || {
            if !is_weakened("the_keeper_is_not_woken") {
                wake();
            }
        };
        let queues = Arc::new(LocalQueues::new(rules, release, wake));
        let identity = Identity::random().expect("random numbers");
        Self { queues, book, name: "k".into(), runtime: Arc::default(), identity }
    }

    /// A task comes, has its turn if it gets one, and goes.
    pub(super) fn visit(&self, name: &Arc<str>, manner: Manner) {
        if !manner.queues {
            let baton = self.queues.enter_if_idle(name).unwrap_or_else(|| self.queues.unqueued_baton(name));
            return self.turn(baton, manner.end);
        }
        let called = self.book.tick();
        let entrance = self.enter(name, BootTime::NEVER);
        let entered = self.book.tick();
        let baton = match entrance {
            Entered::Head(baton) => Some(baton),
            Entered::Queued(mut waiter) => wait(&mut waiter, manner.looks),
            Entered::Full => return,
        };
        let Some(baton) = baton else {
            return assert!(manner.looks.is_some() || self.book.page().is_over, "it was sent away");
        };
        if baton.in_queue {
            self.book.page().arrivals.push(Arrival { name: Arc::clone(name), called, entered });
        }
        self.turn(baton, manner.end);
    }

    pub(super) fn enter(&self, name: &Arc<str>, until: BootTime) -> Entered<'_> {
        let entered = self.queues.enter(name, until);
        self.spoil_shard("a_queue_has_no_check", name, |shard| shard.checks.clear());
        match &entered {
            Entered::Head(baton) if baton.lease().is_some() => {
                self.spoil("a_lease_is_used_and_parked", name, |queue| queue.parked = Some(BootTime::NEVER));
            }
            Entered::Queued(_) => self.spoil("the_last_one_is_served_first", name, |queue| {
                let Some(followers) = &mut queue.followers else { return };
                let all = std::iter::from_fn(|| followers.waiters.pop()).collect::<Vec<_>>();
                all.into_iter().rev().for_each(|waiter| followers.waiters.push(waiter, &mut Wakeups::default()));
            }),
            Entered::Head(_) | Entered::Full => {}
        }
        entered
    }

    /// The head of the queue that nobody else is in.
    pub(super) fn head(&self) -> Baton {
        let Entered::Head(baton) = self.enter(&self.name, BootTime::NEVER) else { panic!("nobody was there") };
        baton
    }

    /// Somebody behind the head.
    pub(super) fn queued(&self, until: BootTime) -> QueuedWaiter<'_> {
        let Entered::Queued(waiter) = self.enter(&self.name, until) else { panic!("one was there, and few") };
        waiter
    }

    /// A task's turn, with a lease that is there or that it asks for.
    pub(super) fn turn(&self, mut baton: Baton, end: End) {
        if matches!(end, End::Unused) {
            return drop(baton);
        }
        let head = baton.in_queue.then(|| Arc::clone(&baton.name));
        head.iter().for_each(|name| self.book.come_in(name));
        let go_out = || head.iter().for_each(|name| self.book.go_out(name));
        if baton.lease().is_none() {
            if baton.pending().is_none() {
                self.ask(&mut baton);
            }
            if matches!(end, End::DropAsking) {
                go_out();
                return drop(baton);
            }
            self.take(&mut baton);
        }
        let turn = self.begin(baton);
        self.book.must_be_held(&turn.lease);
        shuttle::thread::yield_now();
        assert!(turn.is_held(), "its turn is over");
        self.book.must_be_held(&turn.lease);
        go_out();
        let baton = turn.end(BootTime::now()).expect("nobody else ends it");
        match end {
            End::Pass => self.pass_on(baton, BootTime::now()),
            _ if is_weakened("a_dropped_baton_is_gone") => std::mem::forget(baton),
            _ => drop(baton),
        }
    }

    /// A turn begins on the lease of `baton`.
    pub(super) fn begin(&self, baton: Baton) -> Arc<Turn> {
        let terms = Terms { ttl: TTL, wait: Wait::Forever, renew: Some(TTL / 3), max_hold: None, fenced: true };
        let (now, host) = (BootTime::now(), Arc::clone(&self.runtime) as Arc<dyn Host>);
        let opening = Opening::of(&baton, &terms, None, now).expect("its lease is long enough");
        Turn::begin(baton, opening, Taker { host: Obligation::of(host), key: "k".into(), purpose: "", terms }, now)
    }

    /// The head of the queue passes its baton on, and what the process does not need goes to the store.
    pub(super) fn pass_on(&self, mut baton: Baton, now: BootTime) {
        let (name, lease) = (Arc::clone(&baton.name), baton.lease().cloned());
        self.spoil("those_who_wait_for_an_answer_are_lost_with_their_queue", &name, |queue| {
            queue.followers.iter_mut().for_each(|all| all.timed_out.clear());
        });
        let lingers = baton.in_queue && !self.queues.linger().is_zero() && !baton.has_followers();
        let parks = lingers
            && lease.as_ref().is_some_and(|lease| {
                is_weakened("a_contended_lease_is_parked") && lease.is_contended()
                    || is_weakened("a_lease_is_parked_after_the_end") && self.queues.shard(&name).closing
            });
        if parks {
            self.queues.shard(&name).queues.get_mut(&name).expect("it is its head").parked = Some(BootTime::NEVER);
            (baton.in_queue, baton.lease) = (false, None);
            return;
        }
        self.book.leave(baton.pass_on(now));
        if let Some(lease) = lease.filter(|_| is_weakened("a_parked_lease_is_given_back_too"))
            && self.queues.parked_until(&lease).is_some()
        {
            self.book.leave(Some(ToRelease::Lease(lease)));
        }
    }

    /// Ends it all, and looks for what was left or lost.
    pub(super) fn close(self) {
        for lease in self.queues.close() {
            assert!(!lease.is_contended(), "lease {} is kept for nobody", lease.id());
            self.book.leave(Some(ToRelease::Lease(lease)));
        }
        let Self { queues, book, runtime, .. } = self;
        let queues_left = queues.shards.iter().map(|shard| lock(shard).queues.len()).sum::<usize>();
        assert_eq!((queues_left, queues.waiters.load(Ordering::Relaxed)), (0, 0), "queues and waiters are left");
        assert_eq!(Arc::strong_count(&queues), 1, "there is a baton yet");
        assert_eq!(runtime.owed.load(Ordering::Relaxed), 0, "a turn owes the store a release yet");
        book.close();
    }

    /// Changes the queue for `name` behind its back, if `wrong` is the mistake that is made.
    pub(super) fn spoil(&self, wrong: &str, name: &str, change: impl FnOnce(&mut LocalQueue)) {
        self.spoil_shard(wrong, name, |shard| _ = shard.queues.get_mut(name).map(change));
    }

    pub(super) fn spoil_shard(&self, wrong: &str, name: &str, change: impl FnOnce(&mut Shard)) {
        if is_weakened(wrong) {
            change(&mut self.queues.shard(name));
        }
    }

    pub(super) fn lock_id(&self, name: &Arc<str>, number: u64) -> LockId {
        LockId { name: Arc::clone(name), token: Token::new(self.identity, number) }
    }
}

/// Waits for the baton as long as the task stays.
pub(super) fn wait(waiter: &mut QueuedWaiter<'_>, looks: Option<usize>) -> Option<Baton> {
    let Some(mut looks) = looks else { return baton(block_on(waiter.wait())) };
    let mut pass = Box::pin(waiter.wait());
    block_on(std::future::poll_fn(|cx| {
        if looks == 0 {
            return Poll::Ready(None);
        }
        looks -= 1;
        cx.waker().wake_by_ref();
        pass.as_mut().poll(cx).map(baton)
    }))
}

fn baton(pass: WaitEnd) -> Option<Baton> {
    if let WaitEnd::Baton(baton) = pass { Some(baton) } else { None }
}

/// Whom turns belong to. It counts the releases that are owed; no keeper looks at its leases.
struct Process {
    observer: Observer,
    owed: AtomicUsize,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            observer: Observer::new(|| "nowhere".into(), 0, false, Duration::from_secs(60)),
            owed: AtomicUsize::new(0),
        }
    }
}

impl Host for Process {
    fn observer(&self) -> &Observer {
        &self.observer
    }

    fn schedule(&self, _: &Arc<Lease>, _: BootTime) {}
}

impl Obligor for Process {
    fn count_obligation(&self) {
        self.owed.fetch_add(1, Ordering::Relaxed);
    }

    fn count_fulfilment(&self) {
        self.owed.fetch_sub(1, Ordering::Relaxed);
    }
}
