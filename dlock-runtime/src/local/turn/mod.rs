//! What a task holds: its turn on the lease of its process, with terms, a deadline and a fence of its own. It may have
//! several users: the guard that took it, and all that joined it.

mod host;
mod watchers;

use std::{fmt, sync::OnceLock, task::Waker, time::Duration};

use self::watchers::Watchers;
pub(crate) use self::{
    host::{Host, Obligation, Obligor},
    watchers::Watch,
};
use crate::{
    key::LockKey,
    local::{
        lease::{Beginning, Lease},
        queue::Baton,
    },
    observe::{Hold, Observer},
    protocol::grant::{Grant, margin},
    sync::{Arc, AtomicBool, AtomicU8, AtomicU32, AtomicU64, Mutex, Ordering, lock},
    types::{
        boot_time::{self, BootTime},
        error::{LockError, LostReason},
        nanos::Nanos,
        options::{Terms, whole_millis},
    },
};

/// How long a lease may be longer than its turn asked for: alternating turns would shorten and prolong it all the time.
const SLACK: Duration = Duration::from_millis(10);

/// What was reported of a turn, each at most once: that it was lost or that it was released, that it lasts long, that the store
/// refused to renew it.
const LOST: u8 = 1;
const RELEASED: u8 = 2;
const LONG: u8 = 4;
const REFUSED: u8 = 8;

/// How it ended is reported once.
const END: u8 = LOST | RELEASED;

/// A task's turn on a lease.
pub(crate) struct Turn {
    pub(crate) lease: Arc<Lease>,
    host: Obligation,
    pub(crate) key: LockKey,
    /// 0 as long as nobody asked for one.
    fence: AtomicU64,
    /// The function that it is for; nothing if it was taken by hand.
    pub(crate) purpose: &'static str,
    ttl: Nanos,
    /// The interval of renewal, `None` if there is none.
    renew: Option<Nanos>,
    pub(crate) began: BootTime,
    /// When `max_hold` ends it.
    end: BootTime,
    /// When it ends even if the lease does not: the same, or its TTL if it is not renewed. `BootTime::START` once it is over.
    limit: AtomicU64,
    /// Why and when. Few are lost, so that it is worth an allocation.
    lost: OnceLock<Box<(LostReason, BootTime)>>,
    /// The tasks whose bodies must stop when it is lost.
    bodies: Watchers,
    users: AtomicU32,
    reported: AtomicU8,
    /// Somebody who joined it found little left of it, and asked the keeper to renew it.
    is_hurried: AtomicBool,
    /// What it gives on when it is over; taken once.
    baton: Mutex<Option<Baton>>,
}

/// Whose turn it is to be.
pub(crate) struct Taker {
    /// The runtime, which owes the store a release from then on.
    pub(crate) host: Obligation,
    pub(crate) key: LockKey,
    /// The function that takes it; nothing if it is taken by hand.
    pub(crate) purpose: &'static str,
    pub(crate) terms: Terms,
}

/// That a turn can begin, and on which lease: its fence is taken.
pub(crate) struct Opening {
    lease: Arc<Lease>,
    beginning: Beginning,
}

impl Opening {
    /// On the lease of `baton`, if there is one with enough left; else it must be asked for or renewed first. `fresh` is as in
    /// [`Lease::begin`].
    pub(crate) fn of(baton: &Baton, terms: &Terms, fresh: Option<BootTime>, now: BootTime) -> Option<Self> {
        let lease = baton.lease()?;
        Some(Self { beginning: lease.begin(terms, fresh, now)?, lease: Arc::clone(lease) })
    }
}

impl Turn {
    /// Begins a turn.
    pub(crate) fn begin(baton: Baton, opening: Opening, taker: Taker, now: BootTime) -> Arc<Self> {
        let Opening { lease, beginning: Beginning { fence, began, limit, end } } = opening;
        let Taker { host, key, purpose, terms } = taker;
        let turn = Arc::new(Self {
            lease,
            host,
            key,
            fence: AtomicU64::new(fence),
            purpose,
            ttl: terms.ttl.into(),
            renew: terms.renew.map(Nanos::from),
            began,
            end,
            limit: AtomicU64::new(limit.to_bits()),
            lost: OnceLock::new(),
            bodies: Watchers::default(),
            users: AtomicU32::new(1),
            reported: AtomicU8::new(0),
            is_hurried: AtomicBool::new(false),
            baton: Mutex::new(Some(baton)),
        });
        turn.lease.set_turn(Some(Arc::clone(&turn)));
        turn.host.schedule(&turn.lease, turn.due(now));
        turn
    }

    /// The lock in the store.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.lease.lock_id.name
    }

    pub(crate) fn observer(&self) -> &Observer {
        self.host.observer()
    }

    /// The runtime that it belongs to.
    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// As events name it.
    pub(crate) fn hold(&self) -> Hold<'_> {
        Hold { lock: self.key.label(), name: self.name(), fence: self.fence(), function: self.purpose }
    }

    /// 0 if nobody asked for one.
    pub(crate) fn fence(&self) -> u64 {
        self.fence.load(Ordering::Relaxed)
    }

    /// Whoever asks for a fence first gives it to all users of the turn.
    pub(crate) fn set_fence(&self, fence: u64) {
        _ = self.fence.compare_exchange(0, fence, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(crate) fn deadline(&self) -> BootTime {
        BootTime::from_bits(self.limit.load(Ordering::Acquire)).min(self.lease.deadline())
    }

    /// Whether it is held now. Past the deadline it becomes lost here.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held_at(BootTime::now())
    }

    pub(crate) fn is_held_at(&self, now: BootTime) -> bool {
        if now < self.deadline() {
            return true;
        }
        if self.limit.load(Ordering::Acquire) != BootTime::START.to_bits() {
            let expired = || match self.renew {
                Some(_) => self.lease.why_expired(self.ttl.get()),
                None => LostReason::Expired,
            };
            let by_lease = self.lease.lost_because().unwrap_or_else(expired);
            self.lose(if now >= self.end { LostReason::MaxHold } else { by_lease });
        }
        false
    }

    /// # Errors
    /// [`LockError::Lost`] if it is not held.
    pub(crate) fn ensure_held(&self) -> Result<(), LockError> {
        self.ensure_held_at(BootTime::now())
    }

    pub(crate) fn ensure_held_at(&self, now: BootTime) -> Result<(), LockError> {
        if self.is_held_at(now) { Ok(()) } else { Err(self.loss()) }
    }

    /// The error that says how it was lost.
    pub(crate) fn loss(&self) -> LockError {
        let &(reason, at) = &**self.lost.get_or_init(|| Box::new((LostReason::Expired, BootTime::now())));
        LockError::Lost { key: self.key.clone(), held_for: at.since(self.began), fence: self.fence(), reason }
    }

    /// The store renewed the lease for it.
    pub(crate) fn extend(&self, grant: Grant) {
        self.lease.extend(grant);
        if self.renew.is_none() {
            boot_time::advance(&self.limit, grant.deadline().min(self.end));
        }
    }

    /// Marks it lost, once, and wakes the bodies that run under it.
    pub(crate) fn lose(&self, reason: LostReason) {
        let now = BootTime::now();
        _ = self.lost.set(Box::new((reason, now)));
        // Before anybody sees that it is over, or its guard could be dropped meanwhile and it be reported as released.
        let reports = self.is_first_report(LOST, END);
        self.limit.store(BootTime::START.to_bits(), Ordering::Release);
        self.bodies.wake();
        if reports {
            self.observer().lost(&self.hold(), reason, now.since(self.began));
        }
    }

    /// One more user, unless the last one has gone.
    pub(crate) fn join(&self) -> bool {
        let joined = |users: u32| if users > 0 { users.checked_add(1) } else { None };
        self.users.fetch_update(Ordering::AcqRel, Ordering::Acquire, joined).is_ok()
    }

    /// One user less; true for the last one.
    pub(crate) fn leave(&self) -> bool {
        self.users.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Ends it: nobody may act under it any more. The baton is given out once.
    pub(crate) fn end(&self, now: BootTime) -> Option<Baton> {
        let baton = lock(&self.baton).take()?;
        self.limit.store(BootTime::START.to_bits(), Ordering::Release);
        self.lease.set_turn(None);
        self.observer().held(self.key.label(), now.since(self.began));
        Some(baton)
    }

    /// It ended at `now` as it should, and this is certain. Of one that was lost nothing else is reported.
    pub(crate) fn released(&self, now: BootTime) {
        if self.is_first_report(RELEASED, END) {
            self.observer().released(&self.hold(), now.since(self.began));
        }
    }

    /// Whether nothing `like` this was reported before.
    fn is_first_report(&self, this: u8, like: u8) -> bool {
        self.reported.fetch_or(this, Ordering::AcqRel) & like == 0
    }

    /// Reports once if it is held for long.
    pub(crate) fn look_how_long(&self, now: BootTime) {
        if self.observer().warn_after.after(self.began) <= now && self.is_first_report(LONG, LONG) {
            self.observer().long_hold(&self.hold(), now.since(self.began));
        }
    }

    /// Whether this is the first time that the store refuses to renew it.
    pub(crate) fn is_refused_first(&self) -> bool {
        self.is_first_report(REFUSED, REFUSED)
    }

    /// When the keeper must look at it next: to do something for it, or to report that it lasts long.
    pub(crate) fn due(&self, now: BootTime) -> BootTime {
        let work = self.work_due(now);
        // Most are renewed or over long before.
        let long = self.observer().warn_after.after(self.began);
        if long < work && self.reported.load(Ordering::Relaxed) & LONG == 0 { long } else { work }
    }

    /// When there is something to do for it: a renewal, to make the lease shorter, or because it ends.
    pub(crate) fn work_due(&self, now: BootTime) -> BootTime {
        let renewal = match self.renew {
            Some(interval) if self.can_gain() => {
                // A lease can be shorter than this turn would have it.
                let (renewed, deadline) = (self.lease.renewed(), self.lease.deadline());
                let usual = interval.after(renewed);
                if usual < deadline { usual } else { renewed.after(deadline.since(renewed) / 3) }
            }
            _ => BootTime::NEVER,
        };
        let shortening = if self.is_short_of_its_lease(now) { self.began.after(SLACK) } else { BootTime::NEVER };
        self.deadline().min(renewal).min(shortening)
    }

    /// Whether renewal can move its deadline: it is renewed at all, and `max_hold` leaves room.
    pub(crate) fn can_gain(&self) -> bool {
        self.renew.is_some() && self.lease.deadline() < self.end
    }

    /// Whether the lease lasts longer than it asked for, so that after a crash others would wait too long.
    pub(crate) fn is_short_of_its_lease(&self, now: BootTime) -> bool {
        self.lease.deadline() > self.ttl.after(now)
    }

    /// The TTL that a renewal asks for: near its end the store shall not keep the lock much longer.
    pub(crate) fn renewal_ttl(&self, now: BootTime) -> Duration {
        let ttl = self.ttl.get();
        let rest = self.end.since(now).saturating_add(margin(ttl));
        whole_millis(ttl.min(rest))
    }

    /// Whether so much is left that who joins it need not ask for more.
    pub(crate) fn has_enough_left(&self, now: BootTime) -> bool {
        self.deadline().since(now) >= self.ttl.get() / 2
    }

    /// Whether it is renewed in the background.
    pub(crate) fn is_renewed(&self) -> bool {
        self.renew.is_some()
    }

    /// True for the first who asks for a renewal ahead of time, until [`calm`](Self::calm).
    pub(crate) fn hurry(&self) -> bool {
        !self.is_hurried.swap(true, Ordering::AcqRel)
    }

    /// A renewal that was asked for ahead of time has ended.
    pub(crate) fn calm(&self) {
        self.is_hurried.store(false, Ordering::Release);
    }

    /// `waker` will be woken when it is lost, until [`forget`](Self::forget).
    pub(crate) fn watch(&self, watch: &mut Watch, waker: &Waker) {
        self.bodies.watch(watch, waker);
    }

    /// A body has come to its end.
    pub(crate) fn forget(&self, watch: &mut Watch) {
        self.bodies.forget(watch);
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("key", &self.key).field("fence", &self.fence()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
