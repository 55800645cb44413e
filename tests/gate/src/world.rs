//! The local queues, and the tasks that come to them.

use super::*;

pub(super) const TTL: Duration = Duration::from_secs(10);

/// The queues and all that happens in them.
pub(super) struct World {
    pub(super) queues: Arc<LocalQueues>,
    pub(super) book: Arc<Book>,
    /// The queue that most come to.
    pub(super) name: Arc<str>,
    identity: Identity,
}

/// How a task behaves.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// It waits in the queue, or goes on without it.
    pub(super) queues: bool,
    /// How often it looks for its baton before it goes away; `None` if it stays.
    pub(super) looks: Option<usize>,
    pub(super) end: End,
}

/// How it leaves.
#[derive(Clone, Copy)]
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

/// What happens in a world, and then its end, at which nothing may be left or lost.
pub(super) fn story(rules: Rules, happens: impl FnOnce(&World)) {
    let world = World::new(rules);
    happens(&world);
    world.close();
}

impl World {
    fn new(rules: Rules) -> Self {
        let book = Arc::new(Book::new());
        let (store, keeper) = (Arc::clone(&book), Arc::clone(&book));
        let release = move |left| {
            if !is_weakened("a_dropped_baton_leaves_nothing_to_the_store") {
                store.release(left);
            }
        };
        let wake_keeper = move || {
            if !is_weakened("the_keeper_is_not_woken") {
                keeper.bell.notify_one();
            }
        };
        let queues = Arc::new(LocalQueues::new(rules, release, wake_keeper));
        Self { queues, book, name: "k".into(), identity: Identity::random().expect("random numbers") }
    }

    /// A task comes, has its turn if it gets one, and goes.
    pub(super) fn visit(&self, name: &Arc<str>, Manner { queues, looks, end }: Manner) {
        if !queues {
            let baton = self.queues.enter_if_idle(name).unwrap_or_else(|| self.queues.unqueued_baton(name));
            return self.turn(baton, end);
        }
        let called = self.book.tick();
        let entrance = self.enter(name, BootTime::NEVER);
        let entered = self.book.tick();
        let baton = match entrance {
            Entered::Head(baton) => baton,
            Entered::Queued(mut waiter) => match wait(waiter.wait(), looks) {
                Some(WaitEnd::Baton(baton)) => baton,
                ended => return assert!(ended.is_none() || self.book.page().is_over, "it was sent away"),
            },
            Entered::Full => return,
        };
        if baton.in_queue {
            self.book.serve(name, called, entered);
        }
        self.turn(baton, end);
    }

    pub(super) fn enter(&self, name: &Arc<str>, until: BootTime) -> Entered<'_> {
        if is_weakened("a_lock_lets_others_in_between_two_uses") && !self.queues.shard(name).queues.contains_key(name) {
            self.queues.shard(name).queues.insert(Arc::clone(name), LocalQueue::default());
            return Entered::Head(Baton::new(&self.queues, name, None));
        }
        let entered = self.queues.enter(name, until);
        self.spoil_shard("a_queue_has_no_check", name, |shard| shard.checks.clear());
        match &entered {
            Entered::Head(baton) if baton.lease().is_some() => self.spoil("a_lease_is_used_and_parked", name, park),
            Entered::Queued(_) if is_weakened("many_take_the_last_place") => {
                // It is counted a step too late.
                self.count_waiters(-1);
                self.count_waiters(1);
            }
            Entered::Queued(_) => self.spoil("the_last_one_is_served_first", name, |queue| {
                let waiters = &mut queue.followers.as_mut().expect("one waits").waiters;
                let all = waiters.drain().into_iter().rev();
                all.for_each(|waiter| waiters.push(waiter, &mut Wakeups::default()));
            }),
            Entered::Full if is_weakened("who_is_refused_counts") => self.count_waiters(1),
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
        self.book.come_in(&baton);
        if baton.lease().is_none() {
            if baton.pending().is_none() {
                self.ask(&mut baton);
            }
            if matches!(end, End::DropAsking) {
                self.book.go_out(&baton);
                return drop(baton);
            }
            self.take(&mut baton);
        }
        let turn = self.begin(baton);
        shuttle::thread::yield_now();
        assert!(turn.is_held(), "its turn is over");
        self.book.must_be_held(&turn.lease);
        let baton = turn.end(BootTime::now()).expect("nobody else ends it");
        self.book.go_out(&baton);
        match end {
            End::Pass => self.pass_on(baton),
            _ if is_weakened("a_dropped_baton_is_gone") => std::mem::forget(baton),
            _ => drop(baton),
        }
    }

    /// A turn begins on the lease of `baton`.
    pub(super) fn begin(&self, baton: Baton) -> Arc<Turn> {
        let terms = Terms { ttl: TTL, wait: Wait::Forever, renew: Some(TTL / 3), max_hold: None, fenced: true };
        let (now, host) = (BootTime::now(), Arc::clone(&self.book) as Arc<dyn Host>);
        let opening = Opening::of(&baton, &terms, None, now).expect("its lease is long enough");
        Turn::begin(baton, opening, Taker { host: Obligation::of(host), key: "k".into(), purpose: "", terms }, now)
    }

    /// The head of the queue passes its baton on, and what the process does not need goes to the store.
    pub(super) fn pass_on(&self, mut baton: Baton) {
        let (name, lease) = (Arc::clone(&baton.name), baton.lease().cloned());
        self.spoil("those_who_wait_for_an_answer_are_lost_with_their_queue", &name, |queue| {
            queue.followers.iter_mut().for_each(|all| all.timed_out.clear());
        });
        let parks_wrongly = lease.as_ref().is_some_and(|lease| {
            is_weakened("a_contended_lease_is_parked") && lease.is_contended()
                || is_weakened("a_lease_is_parked_after_the_end") && self.queues.shard(&name).closing
        });
        if parks_wrongly && !baton.has_followers() {
            (baton.in_queue, baton.lease) = (false, None);
            return self.queues.shard(&name).queues.get_mut(&name).into_iter().for_each(park);
        }
        let left = baton.pass_on(BootTime::now());
        left.into_iter().for_each(|left| self.book.release(left));
        if let Some(lease) = lease.filter(|_| is_weakened("a_parked_lease_is_given_back_too"))
            && self.queues.parked_until(&lease).is_some()
        {
            self.book.release(ToRelease::Lease(lease));
        }
    }

    /// Ends it all, and looks for what was left or lost.
    fn close(self) {
        for lease in self.queues.close() {
            assert!(!lease.is_contended(), "lease {} is kept for nobody", lease.id());
            assert!(!self.book.page().is_over, "lease {} is parked after the end", lease.id());
            self.book.release(ToRelease::Lease(lease));
        }
        let queues = self.queues.shards.iter().map(|shard| lock(shard).queues.len()).sum::<usize>();
        assert_eq!((queues, self.queues.waiters.load(Ordering::Relaxed)), (0, 0), "queues and waiters are left");
        assert_eq!(Arc::strong_count(&self.queues), 1, "there is a baton yet");
        self.book.must_be_closed();
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

    pub(super) fn count_waiters(&self, more: isize) {
        self.queues.waiters.fetch_add(more as usize, Ordering::Relaxed);
    }

    pub(super) fn lock_id(&self, name: &Arc<str>, number: u64) -> LockId {
        LockId { name: Arc::clone(name), token: Token::new(self.identity, number) }
    }
}

pub(super) fn park(queue: &mut LocalQueue) {
    queue.parked = Some(BootTime::NEVER);
}

/// Waits for the end of a future, or looks for it so many times and then gives it up.
pub(super) fn wait<T>(future: impl Future<Output = T>, looks: Option<usize>) -> Option<T> {
    let Some(looks) = looks else { return Some(block_on(future)) };
    let mut future = pin!(future);
    let look = |_| match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ended) => Some(ended),
        Poll::Pending => None,
    };
    (0..looks).find_map(look)
}
