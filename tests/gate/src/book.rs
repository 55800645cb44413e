//! A book of what this process has of the store, and of who is where. Writing in it is no step.

use std::sync::{Mutex, MutexGuard};

use super::*;
use crate::system::lock;

pub(super) struct Book {
    page: Mutex<Page>,
    observer: Observer,
    /// Wakes the keeper, where a scenario has one.
    pub(super) bell: Notify,
}

#[derive(Default)]
pub(super) struct Page {
    time: usize,
    /// The number of the last request.
    last: u64,
    /// What the store has of this process, requests and leases by their numbers.
    open: BTreeSet<(&'static str, u64)>,
    /// Releases that turns owe the store.
    pub(super) owed: usize,
    /// The leases that had a turn. The keeper knows them.
    pub(super) leases: Vec<Arc<Lease>>,
    /// The queues at whose heads somebody acts.
    inside: BTreeSet<Arc<str>>,
    /// When the last of those was called who had their turns, by queue.
    served: BTreeMap<Arc<str>, usize>,
    /// The queues were closed.
    pub(super) is_over: bool,
}

impl Book {
    pub(super) fn new() -> Self {
        let observer = Observer::new(|| "nowhere".into(), 0, false, Duration::from_secs(60));
        Self { page: Mutex::default(), observer, bell: Notify::new() }
    }

    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        lock(&self.page)
    }

    pub(super) fn tick(&self) -> usize {
        let mut page = self.page();
        page.time += 1;
        page.time
    }

    /// Who entered before somebody else was even called is served before.
    pub(super) fn serve(&self, name: &Arc<str>, called: usize, entered: usize) {
        let mut page = self.page();
        let last = page.served.entry(Arc::clone(name)).or_default();
        assert!(*last < entered, "somebody came later and was served earlier");
        *last = called.max(*last);
    }

    /// The owner of `baton` acts for the process.
    pub(super) fn come_in(&self, baton: &Baton) {
        let is_alone = !baton.in_queue || self.page().inside.insert(Arc::clone(&baton.name));
        assert!(is_alone, "two at the head of a queue");
    }

    pub(super) fn go_out(&self, baton: &Baton) {
        if baton.in_queue {
            self.page().inside.remove(&baton.name);
        }
    }

    pub(super) fn begin_request(&self) -> u64 {
        let mut page = self.page();
        page.last += 1;
        let number = page.last;
        page.open.insert(("request", number));
        number
    }

    pub(super) fn become_a_lease(&self, number: u64) {
        self.end("request", number);
        self.page().open.insert(("lease", number));
    }

    pub(super) fn must_be_held(&self, lease: &Lease) {
        assert!(self.page().open.contains(&("lease", lease.id())), "lease {} is used after its end", lease.id());
    }

    /// It is given back to the store.
    pub(super) fn release(&self, left: ToRelease) {
        match left {
            ToRelease::Lease(lease) => self.end("lease", lease.id()),
            ToRelease::Request(pending) => self.end("request", pending.command.lock_id.token.number),
        }
    }

    fn end(&self, what: &'static str, number: u64) {
        assert!(self.page().open.remove(&(what, number)), "{what} {number} ends twice");
    }

    pub(super) fn must_be_closed(&self) {
        let page = self.page();
        assert!(page.open.is_empty(), "lost: {:?}", page.open);
        assert_eq!(page.owed, 0, "a turn owes the store a release yet");
    }
}

/// Whom turns belong to.
impl Host for Book {
    fn observer(&self) -> &Observer {
        &self.observer
    }

    fn schedule(&self, lease: &Arc<Lease>, _: BootTime) {
        self.page().leases.push(Arc::clone(lease));
    }
}

impl Obligor for Book {
    fn count_obligation(&self) {
        self.page().owed += 1;
    }

    fn count_fulfilment(&self) {
        self.page().owed -= 1;
    }
}
