//! A gate, the tasks that come to it, and a book of what they have and leave.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use shuttle::future::block_on;

use crate::{
    ask::Ask,
    clock::Moment,
    lease::Lease,
    sync::Arc,
    ticket::Ticket,
    verdict::Verdict,
};

use super::super::gate::{Entrance, Gates, Known, Left, Pass, Place, Rules, Turnstile};

/// One gate and all that happens at it.
pub(super) struct World {
    pub(super) gates: Arc<Gates>,
    pub(super) book: Arc<Book>,
}

/// How a task behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How often it looks for its place before it goes away; `None` if it stays.
    pub(super) looks: Option<usize>,
    pub(super) end: End,
}

/// How it leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// It passes the place on.
    Pass,
    /// It drops the place: it was cancelled during its turn.
    Drop,
    /// It is cancelled while it asks the store.
    DropAsking,
}

pub(super) const STAYS: Manner = Manner { looks: None, end: End::Pass };

impl World {
    pub(super) fn new(rules: Rules) -> Self {
        Self::calling(rules, || {})
    }

    /// One whose patrol can be called.
    pub(super) fn calling(rules: Rules, call: impl Fn() + Send + Sync + 'static) -> Self {
        let book = Arc::new(Book::default());
        let left = Arc::clone(&book);
        Self { gates: Arc::new(Gates::new(rules, move |gone| left.leave(Some(gone)), call)), book }
    }

    /// A task comes, has its turn if it gets one, and goes. Whether it had one.
    pub(super) fn visit(&self, name: &Arc<str>, manner: Manner) -> bool {
        let called = self.book.tick();
        let entrance = self.gates.enter(name, Moment::NEVER);
        let entered = self.book.tick();
        let place = match entrance {
            Entrance::Head(place) => Some(place),
            Entrance::Queue(mut turnstile) => wait(&mut turnstile, manner.looks),
            Entrance::Full => None,
        };
        let Some(place) = place else { return false };
        if place.is_in_line() {
            self.book.page().arrivals.push(Arrival { name: Arc::clone(name), called, entered });
        }
        self.turn(name, place, manner.end);
        true
    }

    /// A task's turn, with a lease that is there or that it asks for.
    pub(super) fn turn(&self, name: &Arc<str>, mut place: Place, end: End) {
        let alone = place.is_in_line().then(|| self.book.come_in(name));
        if place.lease().is_none() {
            if place.ask().is_none() {
                place.begin_to_ask(self.book.new_ask(name));
            }
            if matches!(end, End::DropAsking) {
                drop(alone);
                return;
            }
            self.take(&mut place);
        }
        place.lease().expect("there is one").take_turn();
        drop(alone);
        match end {
            End::Pass => self.book.leave(place.pass(Moment::now())),
            End::Drop | End::DropAsking => drop(place),
        }
    }

    /// The store answers yes.
    pub(super) fn take(&self, place: &mut Place) {
        let ask = Arc::clone(place.ask().expect("it asks"));
        place.take_lease(self.book.new_lease(&ask.claim.ticket));
        ask.fate.end();
    }

    /// Ends it all, and looks for what was left or lost.
    pub(super) fn close(self) {
        let Self { gates, book } = self;
        for lease in gates.close() {
            assert!(!lease.is_wanted(), "lease {} is kept for nobody", lease.id());
            book.leave(Some(Left::Lease(lease)));
        }
        let probe = gates.probe();
        assert_eq!((probe.lines, probe.waiters), (0, 0), "{probe:?}");
        assert_eq!(Arc::strong_count(&gates), 1, "there is a place yet");
        book.close();
    }
}

/// Waits for the place as long as the task stays.
pub(super) fn wait(turnstile: &mut Turnstile<'_>, looks: Option<usize>) -> Option<Place> {
    let Some(mut looks) = looks else { return place(block_on(turnstile.pass())) };
    let mut pass = Box::pin(turnstile.pass());
    block_on(std::future::poll_fn(|cx| {
        if looks == 0 {
            return Poll::Ready(None);
        }
        looks -= 1;
        cx.waker().wake_by_ref();
        pass.as_mut().poll(cx).map(place)
    }))
}

fn place(pass: Pass) -> Option<Place> {
    if let Pass::Place(place) = pass { Some(place) } else { None }
}

/// An answer of the store that is not forgotten.
pub(super) fn answer() -> Known {
    Known { verdict: Verdict, at: Moment::START, until: Moment::NEVER }
}

/// What there was, and who was where. Writing in it is no step.
#[derive(Default)]
pub(super) struct Book(Mutex<Page>);

#[derive(Default)]
pub(super) struct Page {
    time: usize,
    numbers: u64,
    asks: Vec<Arc<Ask>>,
    pub(super) leases: Vec<Arc<Lease>>,
    /// The lines at whose heads somebody acts.
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
        assert!(!page.inside.contains(name), "two at the head of a line");
        page.inside.push(Arc::clone(name));
        Alone { book: self, name: Arc::clone(name) }
    }

    pub(super) fn new_ask(&self, name: &Arc<str>) -> Arc<Ask> {
        let mut page = self.page();
        page.numbers += 1;
        let ask = Arc::new(Ask::new(Ticket::new(name, page.numbers)));
        page.asks.push(Arc::clone(&ask));
        ask
    }

    fn new_lease(&self, ticket: &Ticket) -> Arc<Lease> {
        let lease = Arc::new(Lease::new(ticket.clone()));
        self.page().leases.push(Arc::clone(&lease));
        lease
    }

    /// What is given back to the store.
    pub(super) fn leave(&self, left: Option<Left>) {
        match left {
            Some(Left::Lease(lease)) => lease.fate.end(),
            Some(Left::Ask(ask)) => ask.fate.end(),
            None => {}
        }
    }

    fn close(&self) {
        let page = self.page();
        page.leases.iter().for_each(|lease| lease.fate.must_be_over());
        page.asks.iter().for_each(|ask| ask.fate.must_be_over());
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
