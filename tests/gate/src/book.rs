//! A book of what the tasks of a world have and leave. Writing in it is no step.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::super::ToRelease;
use crate::{local::lease::Lease, sync::Arc};

/// What there was, and who was where.
#[derive(Default)]
pub(super) struct Book(Mutex<Page>);

#[derive(Default)]
pub(super) struct Page {
    time: usize,
    last: u64,
    /// What the store has of this process, by number: requests and leases.
    open: BTreeMap<u64, &'static str>,
    pub(super) leases: Vec<Arc<Lease>>,
    /// The queues at whose heads somebody acts.
    inside: Vec<Arc<str>>,
    /// In the order in which they had their turns.
    pub(super) arrivals: Vec<Arrival>,
    /// The queues were closed.
    pub(super) is_over: bool,
}

pub(super) struct Arrival {
    pub(super) name: Arc<str>,
    pub(super) called: usize,
    pub(super) entered: usize,
}

impl Book {
    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tick(&self) -> usize {
        let mut page = self.page();
        page.time += 1;
        page.time
    }

    /// A task acts for the process.
    pub(super) fn come_in(&self, name: &Arc<str>) {
        let mut page = self.page();
        assert!(!page.inside.contains(name), "two at the head of a queue");
        page.inside.push(Arc::clone(name));
    }

    pub(super) fn go_out(&self, name: &Arc<str>) {
        self.page().inside.retain(|other| other != name);
    }

    pub(super) fn begin(&self, what: &'static str) -> u64 {
        let mut page = self.page();
        page.last += 1;
        let number = page.last;
        page.open.insert(number, what);
        number
    }

    pub(super) fn become_a_lease(&self, lease: &Arc<Lease>) {
        let (mut page, number) = (self.page(), lease.id());
        page.leases.push(Arc::clone(lease));
        let before = page.open.insert(number, "lease");
        assert_eq!(before, Some("request"), "request {number} ends twice");
    }

    pub(super) fn must_be_held(&self, lease: &Arc<Lease>) {
        assert_eq!(self.page().open.get(&lease.id()), Some(&"lease"), "lease {} is used after its end", lease.id());
    }

    /// What is given back to the store.
    pub(super) fn leave(&self, left: Option<ToRelease>) {
        let (what, number) = match left {
            Some(ToRelease::Lease(lease)) => ("lease", lease.id()),
            Some(ToRelease::Request(pending)) => ("request", pending.command.lock_id.token.number),
            None => return,
        };
        assert_eq!(self.page().open.remove(&number), Some(what), "{what} {number} ends twice");
    }

    pub(super) fn close(&self) {
        let page = self.page();
        assert!(page.open.is_empty(), "lost: {:?}", page.open);
        for (number, later) in page.arrivals.iter().enumerate() {
            let mut before = page.arrivals[..number].iter().filter(|earlier| earlier.name == later.name);
            let is_overtaken = before.any(|earlier| later.entered < earlier.called);
            assert!(!is_overtaken, "somebody came later and was served earlier");
        }
    }
}
