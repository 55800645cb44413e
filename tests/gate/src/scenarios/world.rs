//! The local queues, the tasks that come to them, and a book of what they have and leave.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use shuttle::future::block_on;

use crate::{
    pending::PendingRequest,
    clock::BootTime,
    lease::Lease,
    sync::Arc,
    lock_id::LockId,
    verdict::Verdict,
};

use super::super::queue::{Entered, LocalQueues, LastAnswer, ToRelease, WaitEnd, Baton, Rules, QueuedWaiter};

/// The queues and all that happens in them.
pub(super) struct World {
    pub(super) queues: Arc<LocalQueues>,
    pub(super) book: Arc<Book>,
}

/// How a task behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How often it looks for its baton before it goes away; `None` if it stays.
    pub(super) looks: Option<usize>,
    pub(super) end: End,
}

/// How it leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It passes the baton on.
    Pass,
    /// It drops the baton: it was cancelled during its turn.
    Drop,
    /// It is cancelled while it asks the store.
    DropAsking,
}

pub(super) const STAYS: Manner = Manner { looks: None, end: End::Pass };

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        Self::calling(rules, || {})
    }

    /// With a keeper that is woken for timeouts.
    pub(super) fn calling(rules: Rules, call: impl Fn() + Send + Sync + 'static) -> Self {
        let book = Arc::new(Book::default());
        let left = Arc::clone(&book);
        Self { queues: Arc::new(LocalQueues::new(rules, move |gone| left.leave(Some(gone)), call)), book }
    }

    /// A task comes, has its turn if it gets one, and goes. Whether it had one.
    pub(super) fn visit(&self, name: &Arc<str>, manner: Manner) -> bool {
        let called = self.book.tick();
        let entrance = self.queues.enter(name, BootTime::NEVER);
        let entered = self.book.tick();
        let baton = match entrance {
            Entered::Head(baton) => Some(baton),
            Entered::Queued(mut waiter) => wait(&mut waiter, manner.looks),
            Entered::Full => None,
        };
        let Some(baton) = baton else { return false };
        if baton.is_in_queue() {
            self.book.page().arrivals.push(Arrival { name: Arc::clone(name), called, entered });
        }
        self.turn(name, baton, manner.end);
        true
    }

    /// A task's turn, with a lease that is there or that it asks for.
    pub(super) fn turn(&self, name: &Arc<str>, mut baton: Baton, end: End) {
        let alone = baton.is_in_queue().then(|| self.book.come_in(name));
        if baton.lease().is_none() {
            if baton.pending().is_none() {
                baton.set_pending(self.book.new_pending(name));
            }
            if matches!(end, End::DropAsking) {
                drop(alone);
                return;
            }
            self.take(&mut baton);
        }
        baton.lease().expect("there is one").take_turn();
        drop(alone);
        match end {
            End::Pass => self.book.leave(baton.pass_on(BootTime::now())),
            End::Drop | End::DropAsking => drop(baton),
        }
    }

    /// The store answers yes.
    pub(super) fn take(&self, baton: &mut Baton) {
        let pending = Arc::clone(baton.pending().expect("it asks"));
        baton.set_lease(self.book.new_lease(&pending.command.lock_id));
        pending.fate.end();
    }

    /// Ends it all, and looks for what was left or lost.
    pub(super) fn close(self) {
        let Self { queues, book } = self;
        for lease in queues.close() {
            assert!(!lease.is_contended(), "lease {} is kept for nobody", lease.id());
            book.leave(Some(ToRelease::Lease(lease)));
        }
        let probe = queues.probe();
        assert_eq!((probe.queues, probe.waiters), (0, 0), "{probe:?}");
        assert_eq!(Arc::strong_count(&queues), 1, "there is a baton yet");
        book.close();
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

/// An answer of the store that is not forgotten.
pub(super) fn answer() -> LastAnswer {
    LastAnswer { verdict: Verdict, at: BootTime::START, until: BootTime::NEVER }
}

/// What there was, and who was where. Writing in it is no step.
#[derive(Default)]
pub(super) struct Book(Mutex<Page>);

#[derive(Default)]
pub(super) struct Page {
    time: usize,
    numbers: u64,
    requests: Vec<Arc<PendingRequest>>,
    pub(super) leases: Vec<Arc<Lease>>,
    /// The queues at whose heads somebody acts.
    inside: Vec<Arc<str>>,
    /// In the order in which they had their turns.
    arrivals: Vec<Arrival>,
}

struct Arrival {
    name: Arc<str>,
    called: usize,
    entered: usize,
}

/// A task that acts for the process.
struct Alone<'a> {
    book: &'a Book,
    name: Arc<str>,
}

impl Book {
    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) -> usize {
        let mut page = self.page();
        page.time += 1;
        page.time
    }

    fn come_in(&self, name: &Arc<str>) -> Alone<'_> {
        let mut page = self.page();
        assert!(!page.inside.contains(name), "two at the head of a queue");
        page.inside.push(Arc::clone(name));
        Alone { book: self, name: Arc::clone(name) }
    }

    pub(super) fn new_pending(&self, name: &Arc<str>) -> Arc<PendingRequest> {
        let mut page = self.page();
        page.numbers += 1;
        let pending = Arc::new(PendingRequest::new(LockId::new(name, page.numbers)));
        page.requests.push(Arc::clone(&pending));
        pending
    }

    fn new_lease(&self, lock_id: &LockId) -> Arc<Lease> {
        let lease = Arc::new(Lease::new(lock_id.clone()));
        self.page().leases.push(Arc::clone(&lease));
        lease
    }

    /// What is given back to the store.
    pub(super) fn leave(&self, left: Option<ToRelease>) {
        match left {
            Some(ToRelease::Lease(lease)) => lease.fate.end(),
            Some(ToRelease::Request(pending)) => pending.fate.end(),
            None => {}
        }
    }

    fn close(&self) {
        let page = self.page();
        page.leases.iter().for_each(|lease| lease.fate.must_be_over());
        page.requests.iter().for_each(|pending| pending.fate.must_be_over());
        for (number, later) in page.arrivals.iter().enumerate() {
            let before = page.arrivals[..number].iter().filter(|earlier| earlier.name == later.name);
            let overtaken = before.filter(|earlier| later.entered < earlier.called).count();
            assert_eq!(overtaken, 0, "somebody came later and was served earlier");
        }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.book.page().inside.retain(|name| *name != self.name);
    }
}
