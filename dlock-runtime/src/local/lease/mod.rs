//! What this process holds: a lock in the store, until a deadline that this process enforces by itself. Its tasks
//! take turns on it (`local/turn`).
//!
//! **Invariant:** the deadline lies before the moment at which the store lets somebody else in. It counts from
//! before a request was sent, is moved only by a definite yes, and once passed the lease is lost, whatever
//! the store may still say.

mod origin;
mod share;
mod ttl_cap;

use std::time::Duration;

pub(crate) use self::{
    origin::Origin,
    share::{Share, Yield},
};
use self::{share::Usage, ttl_cap::TtlCap};
use crate::{
    local::turn::Turn,
    protocol::{fences::Fences, grant::Grant, token::LockId, turn_start::TurnStart},
    store::PriorGrant,
    sync::{Arc, AtomicBool, AtomicU8, AtomicU64, Mutex, MutexGuard, Ordering, lock},
    types::{
        boot_time::{self, BootTime},
        error::LostReason,
        nanos::Nanos,
        options::Terms,
    },
};

/// A lock that this process holds, or held.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) lock_id: LockId,
    /// The template of the request that took it.
    pub(crate) label: &'static str,
    pub(crate) taken: BootTime,
    pub(crate) origin: Origin,
    /// `BootTime::START` once the lease is over, by loss or by release.
    deadline: AtomicU64,
    /// When the last yes was asked for.
    renewed: AtomicU64,
    tenure: Mutex<Tenure>,
    /// Where it stands in the keeper's schedule, whose lock guards it.
    due: AtomicU64,
    /// How long the request took that got it, in milliseconds; zero if it was handed over.
    round_trip_ms: u32,
    /// Why it was lost, as its place in [`LOSSES`] from one on; zero as long as it was not.
    lost: AtomicU8,
    /// The keeper reads it to leave a lease alone that was given back.
    closed: AtomicBool,
}

/// Why a lease can be lost. Its turns have reasons of their own besides.
const LOSSES: [LostReason; 3] = [LostReason::Expired, LostReason::Gone, LostReason::Refused];

/// How the lease is used.
#[derive(Debug)]
struct Tenure {
    fences: Fences,
    turn: Option<Arc<Turn>>,
    /// Turns that began, in all and since somebody waits elsewhere.
    turns: u32,
    turns_contended: u32,
    /// Since when somebody waits elsewhere; `BootTime::NEVER` if nobody is known to.
    contended_since: BootTime,
    /// The longest TTL that was asked for, whatever was answered: how long the store may keep the lock.
    ttl: Nanos,
    cap: TtlCap,
}

/// What begins with a turn.
pub(crate) struct Beginning {
    pub(crate) fence: u64,
    pub(crate) began: BootTime,
    /// When it ends, unless something is renewed by then.
    pub(crate) limit: BootTime,
    /// When it ends in any case.
    pub(crate) end: BootTime,
}

impl Lease {
    pub(crate) fn new(
        lock_id: LockId,
        label: &'static str,
        fences: Fences,
        grant: Grant,
        waiting: bool,
        origin: Origin,
    ) -> Self {
        let tenure = Tenure {
            fences,
            turn: None,
            turns: 0,
            turns_contended: 0,
            // The share counts from now: a hand-over may have been asked for long ago.
            contended_since: if waiting { BootTime::now() } else { BootTime::NEVER },
            ttl: grant.ttl.into(),
            cap: TtlCap::NONE,
        };
        Self {
            lock_id,
            label,
            taken: grant.asked,
            origin,
            deadline: AtomicU64::new(grant.deadline().to_bits()),
            renewed: AtomicU64::new(grant.asked.to_bits()),
            tenure: Mutex::new(tenure),
            due: AtomicU64::new(BootTime::NEVER.to_bits()),
            round_trip_ms: 0,
            lost: AtomicU8::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// What distinguishes it from the other leases of its runtime.
    pub(crate) fn id(&self) -> u64 {
        self.lock_id.token.number
    }

    pub(crate) fn deadline(&self) -> BootTime {
        BootTime::from_bits(self.deadline.load(Ordering::Acquire))
    }

    /// When the last yes was asked for.
    pub(crate) fn renewed(&self) -> BootTime {
        BootTime::from_bits(self.renewed.load(Ordering::Acquire))
    }

    /// The request that got it was answered after `round_trip`.
    pub(crate) fn answered_after(self, round_trip: Duration) -> Self {
        Self { round_trip_ms: millis(round_trip), ..self }
    }

    /// How a guarded store knows the lease after a failover.
    pub(crate) fn prior_grant(&self) -> Option<PriorGrant> {
        self.origin.prior_grant(self.last_fence())
    }

    /// The last fence that was reserved for it, as a guarded store knows it. Each lease has one there.
    pub(crate) fn last_fence(&self) -> u64 {
        if self.origin.is_guarded() { self.tenure().fences.end().saturating_sub(1) } else { 0 }
    }

    /// Why a turn of `ttl` that is renewed ran out of time: a renewal has two thirds of that.
    pub(crate) fn why_expired(&self, ttl: Duration) -> LostReason {
        if Duration::from_millis(self.round_trip_ms.into()) <= ttl / 3 * 2 {
            return LostReason::Expired;
        }
        LostReason::TooSlow { round_trip_ms: self.round_trip_ms, ttl_ms: millis(ttl) }
    }

    pub(crate) fn lost_because(&self) -> Option<LostReason> {
        let place = usize::from(self.lost.load(Ordering::Acquire)).checked_sub(1)?;
        LOSSES.get(place).copied()
    }

    /// The store says that it is over. The turn that is under way is lost.
    pub(crate) fn lose(&self, reason: LostReason) {
        if self.is_closed() {
            return;
        }
        let place = LOSSES.iter().position(|loss| *loss == reason).unwrap_or(0);
        // The first reason stays.
        _ = self.lost.compare_exchange(0, place as u8 + 1, Ordering::AcqRel, Ordering::Acquire);
        self.deadline.store(BootTime::START.to_bits(), Ordering::Release);
        if let Some(turn) = self.turn() {
            turn.lose(reason);
        }
    }

    /// It is given back: from here on nobody may act under it, and nothing that happens to it is a loss.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.deadline.store(BootTime::START.to_bits(), Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The store is about to be asked for so long a TTL.
    pub(crate) fn note_asked(&self, ttl: Duration) {
        let mut tenure = self.tenure();
        tenure.ttl = tenure.ttl.max(ttl.into());
    }

    /// Moves the deadline after a definite yes, but never back to life what is over.
    pub(crate) fn extend(&self, grant: Grant) {
        // Held to the end: a shortening that begins meanwhile must not be undone.
        let tenure = self.tenure();
        let ttl = tenure.cap.ttl_of(grant);
        if boot_time::advance(&self.deadline, Grant { asked: grant.asked, ttl }.deadline()) {
            self.renewed.fetch_max(grant.asked.to_bits(), Ordering::AcqRel);
        }
    }

    /// Gives up what goes beyond `grant`, which is about to be asked for on behalf of `turn`. False if that is over, so that
    /// another may count on the whole lease, or if an earlier shortening may still be under way.
    pub(crate) fn begin_to_shorten(&self, turn: &Arc<Turn>, grant: Grant, answered_within: Duration) -> bool {
        let mut tenure = self.tenure();
        if !tenure.turn.as_ref().is_some_and(|under_way| Arc::ptr_eq(under_way, turn)) {
            return false;
        }
        if grant.asked < tenure.cap.until.after(answered_within) && tenure.cap.until != BootTime::START {
            return false;
        }
        tenure.cap = TtlCap { ttl: grant.ttl.into(), until: BootTime::NEVER };
        self.deadline.fetch_min(grant.deadline().to_bits(), Ordering::AcqRel);
        true
    }

    /// The shortening was answered, or can never happen any more.
    pub(crate) fn is_shortened(&self) {
        let mut tenure = self.tenure();
        tenure.cap.until = BootTime::now();
        tenure.ttl = tenure.cap.ttl;
    }

    /// Begins a turn, if enough is left for it. `fresh` is as in [`TurnStart`].
    pub(crate) fn begin(&self, terms: &Terms, fresh: Option<BootTime>, now: BootTime) -> Option<Beginning> {
        let start = TurnStart { ttl: terms.ttl, is_renewed: terms.renew.is_some(), fresh, now };
        if !start.is_covered(self.deadline()) {
            return None;
        }
        let mut tenure = self.tenure();
        let fence = if terms.fenced { tenure.fences.take()? } else { 0 };
        tenure.turns += 1;
        tenure.turns_contended += u32::from(tenure.contended_since != BootTime::NEVER);
        let began = start.began();
        let end = terms.max_hold.map_or(BootTime::NEVER, |bound| began.after(bound));
        let limit = start.limit().map_or(end, |limit| limit.min(end));
        Some(Beginning { fence, began, limit, end })
    }

    /// `turn` is under way from now on, or none is.
    pub(crate) fn set_turn(&self, turn: Option<Arc<Turn>>) {
        // What comes out is dropped outside of the lock.
        let _before = std::mem::replace(&mut self.tenure().turn, turn);
    }

    pub(crate) fn turn(&self) -> Option<Arc<Turn>> {
        self.tenure().turn.clone()
    }

    /// Whether a turn is under way that it still covers.
    pub(crate) fn is_in_use(&self, now: BootTime) -> bool {
        now < self.deadline() && self.tenure().turn.is_some()
    }

    /// How many turns there were.
    pub(crate) fn turns(&self) -> u32 {
        self.tenure().turns
    }

    /// Whether there are fences for another turn.
    pub(crate) fn has_fences(&self) -> bool {
        !self.tenure().fences.is_empty()
    }

    /// The first fence above those that it came with. A hand-over has one even if nobody needs it; `None` if there was none.
    pub(crate) fn end_of_fences(&self) -> Option<u64> {
        let fences = self.tenure().fences;
        let end = fences.end() + u64::from(fences.is_empty());
        (end > 1).then_some(end)
    }

    /// Takes one for the turn that is under way.
    pub(crate) fn take_fence(&self) -> Option<u64> {
        self.tenure().fences.take()
    }

    pub(crate) fn refill(&self, fences: Fences) {
        self.tenure().fences = fences;
    }

    /// Whether a shortening that got no answer keeps it from lasting long enough for a turn of `ttl`.
    pub(crate) fn is_too_short_for(&self, ttl: Duration) -> bool {
        let cap = self.tenure().cap;
        cap.until == BootTime::NEVER && cap.ttl.get() < ttl
    }

    /// How long the store may keep the lock.
    pub(crate) fn ttl(&self) -> Duration {
        self.tenure().ttl.get()
    }

    /// Somebody waits for it elsewhere.
    pub(crate) fn mark_contended(&self, now: BootTime) {
        let mut tenure = self.tenure();
        if tenure.contended_since == BootTime::NEVER {
            tenure.contended_since = now;
            // The turn that is under way is the first of the last.
            tenure.turns_contended = u32::from(tenure.turn.is_some());
        }
    }

    /// Whether somebody is known to wait for it elsewhere.
    pub(crate) fn is_contended(&self) -> bool {
        self.tenure().contended_since != BootTime::NEVER
    }

    /// Whether the process lets go of it though its tasks would go on.
    pub(crate) fn must_yield(&self, share: &Share, now: BootTime) -> Yield {
        let tenure = self.tenure();
        let usage = Usage {
            turns: tenure.turns,
            turns_contended: tenure.turns_contended,
            contended_since: tenure.contended_since,
            taken: self.taken,
        };
        share.must_yield(&usage, now)
    }

    pub(crate) fn due(&self) -> BootTime {
        BootTime::from_bits(self.due.load(Ordering::Relaxed))
    }

    pub(crate) fn set_due(&self, due: BootTime) {
        self.due.store(due.to_bits(), Ordering::Relaxed);
    }

    fn tenure(&self) -> MutexGuard<'_, Tenure> {
        lock(&self.tenure)
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
