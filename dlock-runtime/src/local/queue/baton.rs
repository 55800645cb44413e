//! The right to act for this process on one lock.

use tokio::sync::oneshot;

use super::{Gates, Known, Left, Line, Pass, SentAway};
use crate::{
    local::{
        lease::{Lease, Yield},
        pending::Ask,
    },
    observe::caught::caught,
    sync::Arc,
    types::clock::Moment,
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

    /// Whether other turns are to be expected after the first.
    pub(crate) fn has_followers(&self) -> bool {
        self.gates.rules.share.turns && self.is_followed()
    }

    /// Whether somebody is behind it in line.
    pub(crate) fn is_followed(&self) -> bool {
        self.in_line && self.gates.shard(&self.name).lines.get(&self.name).is_some_and(Line::has_followers)
    }

    /// What the store said last about the lock, not long ago.
    pub(crate) fn known(&self) -> Option<Known> {
        if !self.in_line {
            return None;
        }
        self.gates.shard(&self.name).lines.get(&self.name)?.known(Moment::now()).cloned()
    }

    /// The store has answered, and others need not ask.
    pub(crate) fn learn(&self, known: Known) {
        self.gates.learn(&self.name, known);
    }

    /// Asks the store from now on.
    pub(crate) fn begin_to_ask(&mut self, ask: Arc<Ask>) {
        self.with_line(|line| line.ask = Some(Arc::clone(&ask)));
        self.ask = Some(ask);
    }

    /// The request became a lease. In one step, so that a late message finds the one or the other.
    pub(crate) fn take_lease(&mut self, lease: Arc<Lease>) {
        let ask = self.ask.take();
        if ask.as_ref().is_some_and(|ask| ask.was_queued()) {
            self.gates.note_taken(lease.id());
        }
        self.with_line(|line| {
            line.ask = None;
            line.lease = Some(Arc::clone(&lease));
            line.forget();
        });
        if ask.is_some_and(|ask| ask.is_wanted()) {
            lease.want(Moment::now());
        }
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
        let leaving = self.let_go(now);
        while let Some(next) = self.next(now) {
            // Whose waker panics has the place all the same.
            match caught(|| next.send(Pass::Place(self))) {
                None | Some(Ok(())) => return leaving.map(Left::Lease),
                // It left in this moment, and gives the place back.
                Some(Err(Pass::Place(place))) => self = place,
                Some(Err(_)) => unreachable!("what comes back is what was sent"),
            }
        }
        self.in_line = false;
        leaving.or(self.lease.take()).map(Left::Lease).or(self.ask.take().map(Left::Ask))
    }

    /// Takes out the lease if it is no good for another turn of this process.
    fn let_go(&mut self, now: Moment) -> Option<Arc<Lease>> {
        let lease = self.lease.as_ref()?;
        let how = if self.in_line { lease.must_yield(&self.gates.rules.share, now) } else { Yield::ToOthers };
        if how == Yield::No && now < lease.deadline() {
            return None;
        }
        self.rests = how == Yield::ToAnybody;
        self.part()
    }

    /// The next task in line. If there is none the line ends, or the lease is parked in it.
    fn next(&mut self, now: Moment) -> Option<oneshot::Sender<Pass>> {
        if !self.in_line {
            return None;
        }
        let mut sent_away = SentAway::default();
        let next = self.next_or_end(now, &mut sent_away);
        sent_away.tell();
        next
    }

    fn next_or_end(&mut self, now: Moment, sent_away: &mut SentAway) -> Option<oneshot::Sender<Pass>> {
        let mut shard = self.gates.shard(&self.name);
        let closing = shard.closing;
        let line = shard.lines.get_mut(&self.name)?;
        if let Some(next) = line.next(self.lease.is_some(), now, sent_away) {
            return Some(next);
        }
        let linger = self.gates.rules.linger;
        if self.lease.as_ref().is_some_and(|lease| !linger.is_zero() && !closing && !lease.is_wanted()) {
            line.parked = Some(now.after(linger));
            drop(shard);
            self.lease = None;
        } else {
            shard.lines.remove(&self.name);
        }
        None
    }

    fn with_line(&self, change: impl FnOnce(&mut Line)) {
        if self.in_line
            && let Some(line) = self.gates.shard(&self.name).lines.get_mut(&self.name)
        {
            change(line);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.in_line && self.lease.is_none() && self.ask.is_none() {
            return;
        }
        let whole = Self {
            gates: Arc::clone(&self.gates),
            name: Arc::clone(&self.name),
            in_line: std::mem::take(&mut self.in_line),
            ask: self.ask.take(),
            lease: self.lease.take(),
            rests: self.rests,
        };
        if let Some(left) = whole.pass(Moment::now()) {
            (self.gates.left)(left);
        }
    }
}
