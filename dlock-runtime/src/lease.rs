//! What is held: a lock, until a deadline that this process enforces by itself.
//!
//! **Invariant:** the deadline lies before the moment at which the store lets somebody else in. It counts from
//! before the request was written, is moved only by a definite yes, and once passed the lease is lost, whatever
//! the store may still say.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use crate::{
    clock::Moment,
    error::{LockError, LostReason},
    key::LockKey,
    observe,
    options::{Terms, margin, whole_millis},
};

/// A lock that this process holds, or held.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Distinguishes the leases of one runtime.
    pub(crate) id: u64,
    pub(crate) key: LockKey,
    /// The key in the store.
    pub(crate) name: Arc<str>,
    /// The owner token that the store knows.
    pub(crate) token: Arc<str>,
    pub(crate) fence: u64,
    pub(crate) terms: Terms,
    pub(crate) acquired: Moment,
    /// Some attempt to acquire got no answer. The store may carry it out at any time, even after the release.
    pub(crate) in_doubt: bool,
    /// `Moment::START` once the lease is over, by loss or by release.
    deadline: AtomicU64,
    lost: OnceLock<(LostReason, Duration)>,
    /// Where it stands in the keeper's ledger, whose lock guards it.
    due: AtomicU64,
    /// The keeper reads it to leave a lease alone that its holder has given back.
    closed: AtomicBool,
    /// The tasks whose bodies must stop when the lease is lost.
    bodies: Mutex<Vec<Waker>>,
}

/// What one "yes" from the store is worth, from the moment at which it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) asked: Moment,
    pub(crate) ttl: Duration,
}

impl Grant {
    pub(crate) fn deadline(self) -> Moment {
        self.asked.after(self.ttl.saturating_sub(margin(self.ttl)))
    }
}

impl Lease {
    #[expect(clippy::too_many_arguments, reason = "each is one fact of a lease, and there is one caller")]
    pub(crate) fn new(
        id: u64,
        key: LockKey,
        name: Arc<str>,
        token: Arc<str>,
        fence: u64,
        terms: Terms,
        grant: Grant,
        in_doubt: bool,
    ) -> Self {
        let deadline = grant.deadline().min(end_of(grant.asked, &terms));
        Self {
            id,
            key,
            name,
            token,
            fence,
            terms,
            acquired: grant.asked,
            in_doubt,
            deadline: AtomicU64::new(deadline.to_bits()),
            lost: OnceLock::new(),
            due: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            bodies: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn deadline(&self) -> Moment {
        Moment::from_bits(self.deadline.load(Ordering::Acquire))
    }

    /// When `max_hold` ends it.
    pub(crate) fn end(&self) -> Moment {
        end_of(self.acquired, &self.terms)
    }

    /// Whether it is held now. Past the deadline it becomes lost here.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held_at(Moment::now())
    }

    pub(crate) fn is_held_at(&self, now: Moment) -> bool {
        let deadline = self.deadline();
        if now < deadline {
            return true;
        }
        if deadline != Moment::START {
            let reason = if now >= self.end() { LostReason::MaxHold } else { LostReason::Expired };
            self.lose(reason);
        }
        false
    }

    /// # Errors
    /// [`LockError::Lost`] if it is not held.
    pub(crate) fn ensure_held(&self) -> Result<(), LockError> {
        if self.is_held() { Ok(()) } else { Err(self.loss()) }
    }

    /// The error that tells of the loss.
    pub(crate) fn loss(&self) -> LockError {
        let &(reason, held_for) = self.lost.get_or_init(|| (LostReason::Expired, Moment::now().since(self.acquired)));
        LockError::Lost { key: self.key.clone(), held_for, fence: self.fence, reason }
    }

    pub(crate) fn lost_because(&self) -> Option<LostReason> {
        self.lost.get().map(|&(reason, _)| reason)
    }

    /// Moves the deadline after a definite yes, but never back to life what is over.
    pub(crate) fn extend(&self, grant: Grant) {
        let new = grant.deadline().min(self.end());
        let now = Moment::now();
        let moved = self.deadline.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| {
            let old = Moment::from_bits(old);
            (now < old && old < new).then_some(new.to_bits())
        });
        if moved.is_err() {
            // Either there is nothing to gain or it is too late; the latter is noted where it is found.
            self.is_held_at(now);
        }
    }

    /// Marks it lost, once, and wakes the bodies that run under it.
    pub(crate) fn lose(&self, reason: LostReason) {
        if !self.is_closed() {
            self.note_loss(reason);
        }
    }

    /// The same when the loss comes to light as the lease is given back.
    pub(crate) fn note_loss(&self, reason: LostReason) {
        let first = self.lost.set((reason, Moment::now().since(self.acquired))).is_ok();
        self.deadline.store(Moment::START.to_bits(), Ordering::Release);
        for body in std::mem::take(&mut *self.bodies()) {
            body.wake();
        }
        if first {
            observe::lost(self.key.label(), self.fence, reason);
        }
    }

    /// The holder gives it back: from here on nobody may act under it, and nothing that happens to it is a loss.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.deadline.store(Moment::START.to_bits(), Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn due(&self) -> Moment {
        Moment::from_bits(self.due.load(Ordering::Relaxed))
    }

    pub(crate) fn set_due(&self, due: Moment) {
        self.due.store(due.to_bits(), Ordering::Relaxed);
    }

    /// When it needs attention next: its renewal `interval` after `from`, or its deadline where renewal gains
    /// nothing.
    pub(crate) fn due_after(&self, from: Moment) -> Moment {
        match self.terms.renew {
            Some(interval) if self.can_gain() => from.after(interval).min(self.deadline()),
            _ => self.deadline(),
        }
    }

    /// Whether renewal can move its deadline: it is renewed at all, and `max_hold` leaves room.
    pub(crate) fn can_gain(&self) -> bool {
        self.terms.renew.is_some() && self.deadline() < self.end()
    }

    /// The TTL that a renewal asks for: near the end of `max_hold` the store shall not keep the lock much longer.
    pub(crate) fn renewal_ttl(&self, now: Moment) -> Duration {
        let rest = self.end().since(now).saturating_add(margin(self.terms.ttl));
        whole_millis(self.terms.ttl.min(rest))
    }

    /// `waker` will be woken when the lease is lost.
    pub(crate) fn watch(&self, waker: &Waker) {
        let mut bodies = self.bodies();
        if !bodies.iter().any(|known| known.will_wake(waker)) {
            bodies.push(waker.clone());
        }
    }

    fn bodies(&self) -> MutexGuard<'_, Vec<Waker>> {
        // A waker that panics does so outside of the lock's data: the list stays whole.
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(acquired: Moment, terms: &Terms) -> Moment {
    terms.max_hold.map_or(Moment::NEVER, |bound| acquired.after(bound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Defaults, Wishes};

    fn lease(asked: Moment, ttl: Duration, max_hold: Option<Duration>) -> Lease {
        let wishes = Wishes { ttl: Some(ttl), max_hold: max_hold.map(Into::into), ..Wishes::default() };
        let terms = wishes.on(&Defaults::default()).expect("valid");
        Lease::new(1, "k".into(), "k".into(), "t-1".into(), 1, terms, Grant { asked, ttl }, false)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_deadline_counts_from_before_the_request_and_keeps_a_margin() {
        let asked = Moment::now();
        assert_eq!(lease(asked, SECOND, None).deadline(), asked.after(Duration::from_millis(988)));
    }

    #[test]
    fn past_its_deadline_a_lease_is_lost_whatever_the_store_says_later() {
        let asked = Moment::now();
        let lease = lease(asked, SECOND, None);
        assert!(lease.is_held_at(asked));
        assert!(!lease.is_held_at(asked.after(SECOND)));
        lease.extend(Grant { asked: Moment::now(), ttl: SECOND });
        assert!(!lease.is_held());
        assert!(matches!(lease.ensure_held(), Err(LockError::Lost { reason: LostReason::Expired, .. })));
    }

    #[test]
    fn renewal_moves_the_deadline_forward_only_and_never_past_max_hold() {
        let asked = Moment::now();
        let lease = lease(asked, SECOND, Some(2 * SECOND));
        lease.extend(Grant { asked: asked.after(SECOND / 2), ttl: SECOND });
        let moved = lease.deadline();
        assert_eq!(moved, asked.after(Duration::from_millis(1488)));
        lease.extend(Grant { asked, ttl: SECOND });
        assert_eq!(lease.deadline(), moved, "an answer that comes late takes nothing back");
        lease.extend(Grant { asked, ttl: 10 * SECOND });
        assert_eq!(lease.deadline(), asked.after(2 * SECOND));
        assert!(!lease.is_held_at(asked.after(2 * SECOND)));
        assert_eq!(lease.lost_because(), Some(LostReason::MaxHold));
    }

    #[test]
    fn the_first_reason_of_a_loss_stays() {
        let lease = lease(Moment::now(), SECOND, None);
        lease.lose(LostReason::Gone);
        lease.lose(LostReason::Expired);
        assert_eq!(lease.lost_because(), Some(LostReason::Gone));
    }

    #[test]
    fn what_was_given_back_is_not_lost() {
        let lease = lease(Moment::now(), SECOND, None);
        lease.close();
        assert!(!lease.is_held());
        lease.lose(LostReason::Gone);
        assert_eq!(lease.lost_because(), None);
    }
}
