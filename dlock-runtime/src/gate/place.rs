//! The right to act for this process on one lock.

use super::{Gates, Left, Line};
use crate::{
    ask::Ask,
    clock::Moment,
    lease::{Lease, Yield},
    sync::Arc,
};

/// The head of a line, or the like of it for a request that stands in none.
pub(crate) struct Place {
    gates: Arc<Gates>,
    name: Arc<str>,
    in_line: bool,
    ask: Option<Arc<Ask>>,
    lease: Option<Arc<Lease>>,
    /// Whether the lock is to be free for a moment before it is asked for.
    pub(crate) rests: bool,
}

impl Place {
    pub(super) fn new(gates: &Arc<Gates>, name: &Arc<str>, lease: Option<Arc<Lease>>) -> Self {
        Self { gates: Arc::clone(gates), name: Arc::clone(name), in_line: true, ask: None, lease, rests: false }
    }

    /// One that stands in no line.
    pub(super) fn aside(gates: &Arc<Gates>, name: &Arc<str>) -> Self {
        let mut place = Self::new(gates, name, None);
        place.in_line = false;
        place
    }

    pub(crate) fn lease(&self) -> Option<&Arc<Lease>> {
        self.lease.as_ref()
    }

    pub(crate) fn ask(&self) -> Option<&Arc<Ask>> {
        self.ask.as_ref()
    }

    /// Whether others of this process wait behind.
    pub(crate) fn has_followers(&self) -> bool {
        self.in_line && self.gates.shard(&self.name).lines.get(&self.name).is_some_and(|line| !line.queue.is_empty())
    }

    /// Asks the store from now on.
    pub(crate) fn begin_to_ask(&mut self, ask: Arc<Ask>) {
        self.with_line(|line| line.ask = Some(Arc::clone(&ask)));
        self.ask = Some(ask);
    }

    /// The request became a lease. In one step, so that a late message finds the one or the other.
    pub(crate) fn take_lease(&mut self, lease: Arc<Lease>) {
        self.with_line(|line| {
            line.ask = None;
            line.lease = Some(Arc::clone(&lease));
        });
        self.ask = None;
        self.lease = Some(lease);
    }

    /// Parts with a lease that is no good any more.
    pub(crate) fn part(&mut self) -> Option<Arc<Lease>> {
        self.with_line(|line| line.lease = None);
        self.lease.take()
    }

    /// Passes it on to the next task, with what it has, or parks the lease. Returns what is left to the store.
    #[must_use]
    pub(crate) fn pass(mut self, now: Moment) -> Option<Left> {
        self.pass_on(now)
    }

    fn pass_on(&mut self, now: Moment) -> Option<Left> {
        let in_line = std::mem::take(&mut self.in_line);
        let (mut ask, lease) = (self.ask.take(), self.lease.take());
        if !in_line {
            return lease.map(Left::Lease).or(ask.map(Left::Ask));
        }
        let share = &self.gates.rules.share;
        let (mut going, mut leaving, mut rests) = (None, None, self.rests);
        if let Some(lease) = lease {
            match lease.must_yield(share, now) {
                Yield::No if now < lease.deadline() => going = Some(lease),
                Yield::ToAnybody => (leaving, rests) = (Some(lease), true),
                _ => leaving = Some(lease),
            }
        }
        // Who is behind takes over; who left in this moment gives it back, and must not look for a successor by itself.
        let mut shard = self.gates.shard(&self.name);
        let closing = shard.closing;
        while let Some(line) = shard.lines.get_mut(&self.name) {
            if leaving.is_some() {
                line.lease = None;
            }
            let Some(next) = line.queue.pop_front() else {
                let Some(lease) = going.take() else {
                    shard.lines.remove(&self.name);
                    break;
                };
                if self.gates.rules.linger.is_zero() || closing || lease.is_wanted() {
                    shard.lines.remove(&self.name);
                    leaving = Some(lease);
                } else {
                    line.parked = Some(now.after(self.gates.rules.linger));
                }
                break;
            };
            let mut place = Self::new(&self.gates, &self.name, going.take());
            (place.ask, place.rests) = (ask.take(), rests);
            if let Err(mut place) = next.send(place) {
                place.in_line = false;
                (ask, going) = (place.ask.take(), place.lease.take());
                continue;
            }
            break;
        }
        leaving.map(Left::Lease).or(ask.map(Left::Ask))
    }

    fn with_line(&self, change: impl FnOnce(&mut Line)) {
        if self.in_line {
            if let Some(line) = self.gates.shard(&self.name).lines.get_mut(&self.name) {
                change(line);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.in_line || self.lease.is_some() || self.ask.is_some() {
            if let Some(left) = self.pass_on(Moment::now()) {
                (self.gates.left)(left);
            }
        }
    }
}
