//! One exchange with the store: it renews the lease that the process has, or asks for the lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    backoff::Backoff,
    head::{Head, LEAST_REPLY_TIME, Outcome},
    in_flight::AwaitReply,
};
use crate::{
    keeper::renewal,
    local::{
        lease::{Lease, Origin},
        pending::{HandOver, InFlight, PendingRequest},
        queue::{Baton, ToRelease},
    },
    protocol::{fences::Fences, grant::Grant},
    store::{AcquireCommand, AcquireReply, ErrorClass, Permit, RenewCommand, RenewReply, StoreError},
    types::{boot_time::BootTime, error::LostReason, options::Wait},
};

/// How long the lock stays free where other clients are to have a chance.
const FREE_TIME: Duration = Duration::from_millis(1);

impl Head {
    /// Renews the lease of this process, which has too little left for this turn, or no fences.
    pub(super) async fn renew_lease(
        &mut self,
        baton: &mut Baton,
        lease: &Arc<Lease>,
        limit: Duration,
    ) -> Result<Outcome, StoreError> {
        self.fresh = None;
        let asked = BootTime::now();
        if asked >= lease.deadline() || lease.is_too_short_for(self.request.terms.ttl) {
            self.give_lease_back(baton, LostReason::Expired);
            return Ok(Outcome::Changed);
        }
        let fences = if lease.has_fences() { 0 } else { baton.turns_expected() };
        let renewal = RenewCommand {
            lock_id: lease.lock_id.clone(),
            ttl: self.request.terms.ttl,
            shorten: false,
            more_fences: if self.request.terms.fenced { fences } else { 0 },
            prior_grant: lease.prior_grant(),
        };
        let state = self.state();
        lease.note_asked(renewal.ttl);
        // If this request is dropped, the lease may be parked. The keeper must know of it then.
        state.schedule.add(lease, asked.after(LEAST_REPLY_TIME));
        let limit = limit.min(lease.deadline().since(asked).max(LEAST_REPLY_TIME));
        let replies = renewal::ask(state, vec![renewal], limit).await;
        match replies.and_then(|mut replies| replies.pop().unwrap_or(Ok(RenewReply::NotHeld))) {
            Ok(RenewReply::NotHeld) => self.give_lease_back(baton, LostReason::Gone),
            Ok(RenewReply::Renewed | RenewReply::CameBack) => self.extend(lease, asked),
            Ok(RenewReply::RenewedWithFences(first)) => {
                lease.refill(Fences::new(first, fences));
                self.extend(lease, asked);
            }
            // Somebody overwrote the lock. Asking for it anew brings the error that says so.
            Err(error) if error.class == ErrorClass::WrongType => self.give_lease_back(baton, LostReason::Refused),
            Err(error) => return Err(error),
        }
        Ok(Outcome::Changed)
    }

    fn extend(&mut self, lease: &Lease, asked: BootTime) {
        lease.extend(Grant { asked, ttl: self.request.terms.ttl });
        self.fresh = Some(asked);
    }

    /// The lease of the process is over before this turn began.
    fn give_lease_back(&self, baton: &mut Baton, reason: LostReason) {
        if let Some(lease) = baton.remove_lease() {
            lease.lose(reason);
            self.state().give_back(ToRelease::Lease(lease));
        }
    }

    /// Asks for the lock once, unless a message said already that it was handed over.
    /// A reply may take `limit`, as it is now.
    pub(super) async fn ask_once(
        &mut self,
        baton: &mut Baton,
        backoff: &Backoff,
        mut limit: Duration,
    ) -> Result<Outcome, StoreError> {
        self.fresh = None;
        let permit = match Permit::at_once(&*self.state().store, &self.request.name) {
            Some(permit) => permit,
            None => {
                let permit =
                    Permit::within(&*self.state().store, &self.request.name, self.time_to_ask(backoff)).await?;
                limit = self.reply_time(backoff);
                permit
            }
        };
        // Where there is more time than the least, it is not over.
        let is_over = || limit <= LEAST_REPLY_TIME && backoff.is_over();
        let waits = self.request.terms.wait != Wait::For(Duration::ZERO) && !is_over();
        let pending = self.pending(baton, waits);
        if pending.take_free_notice() || std::mem::take(&mut baton.frees_lock_first) {
            tokio::time::sleep(FREE_TIME).await;
        }
        if self.take_hand_over(baton, &pending) {
            return Ok(Outcome::Changed);
        }
        let (state, command) = (self.state(), &pending.command);
        let in_flight = pending.take_in_flight().unwrap_or_else(|| {
            let asked = BootTime::now();
            pending.record_sent(asked);
            InFlight { asked, reply: state.store.acquire(command, permit, state.command_timeout) }
        });
        let asked = in_flight.asked;
        match AwaitReply::new(&pending, in_flight).within(state, limit).await {
            Ok(AcquireReply::Granted { fence, waiting }) => {
                let grant = Grant { asked, ttl: command.ttl };
                let took = BootTime::now().since(asked);
                if asked.after(took) < grant.deadline() {
                    // A reply to this very request is good for its turn.
                    self.fresh = (command.ttl == self.request.terms.ttl).then_some(asked);
                    self.become_lease(baton, &pending, fence, waiting, grant, took);
                    return Ok(Outcome::Changed);
                }
                // The reply took longer than the lease lasts.
                pending.mark_in_doubt();
                Err(StoreError::too_slow(&state.store.address_of(&self.request.name), took, command.ttl))
            }
            Ok(AcquireReply::Busy { holder, last_fence }) => {
                pending.record_busy(asked, last_fence);
                // The message of a hand-over may have come before this answer.
                Ok(if self.take_hand_over(baton, &pending) { Outcome::Changed } else { Outcome::Busy(holder) })
            }
            Ok(AcquireReply::Closed { opens_in }) => {
                pending.record_closed();
                Ok(if self.take_hand_over(baton, &pending) { Outcome::Changed } else { Outcome::Closed(opens_in) })
            }
            Err(error) => {
                if error.class == ErrorClass::Indeterminate && command.sent.load(Ordering::Acquire) {
                    pending.mark_in_doubt();
                }
                Err(error)
            }
        }
    }

    /// The pending request of the task before, or a new one.
    fn pending(&self, baton: &mut Baton, waits: bool) -> Arc<PendingRequest> {
        let before = match baton.pending() {
            // One that was begun without waiting would never enter the store's queue, and one that was begun before its lock
            // moved is told of nothing.
            Some(pending) if (pending.command.waits || !waits) && self.is_up_to_date(pending) => {
                return Arc::clone(pending);
            }
            before => before.cloned(),
        };
        let pending = Arc::new(self.new_pending(baton, waits));
        baton.set_pending(Arc::clone(&pending));
        if let Some(before) = before {
            self.state().give_back(ToRelease::Request(before));
        }
        pending
    }

    fn is_up_to_date(&self, pending: &PendingRequest) -> bool {
        pending.command.lock_id.token.tag == self.state().store.tag(&self.request.name)
    }

    fn new_pending(&self, baton: &Baton, waits: bool) -> PendingRequest {
        // A guarded store knows by its fences which of two locks is the later one.
        let least = u32::from(self.state().store.is_guarded());
        let command = AcquireCommand {
            lock_id: self.request.core().next_lock_id(&self.request.name),
            ttl: self.request.terms.ttl,
            fences: if self.request.terms.fenced { baton.turns_expected() } else { least },
            who: self.request.who(),
            waits,
            is_contended: self.state().queues.was_contended(&self.request.name, BootTime::now()),
            sent: AtomicBool::new(false),
            doubled: AtomicBool::new(false),
            since: AtomicU64::new(0),
        };
        PendingRequest::new(command, self.request.key.label())
    }

    /// Takes the lock if a message says that it was handed over. A message that comes too late is ignored: the next reply brings a
    /// fresh lease.
    fn take_hand_over(&self, baton: &mut Baton, pending: &Arc<PendingRequest>) -> bool {
        let Some(HandOver { fence, waiting, from }) = pending.take_hand_over() else { return false };
        let grant = Grant { asked: from, ttl: pending.command.ttl };
        let in_time = BootTime::now() < grant.deadline();
        if in_time {
            // The store may carry out late what nobody waits for any more.
            if pending.take_in_flight().is_some() {
                pending.mark_in_doubt();
            }
            self.state().store.note_fence(&self.request.name, pending.command.last_fence(fence));
            self.become_lease(baton, pending, fence, waiting, grant, Duration::ZERO);
        }
        in_time
    }

    /// The request becomes a lease. The reply took `took`; zero for a message, which nobody asked for.
    fn become_lease(
        &self,
        baton: &mut Baton,
        pending: &PendingRequest,
        fence: u64,
        waiting: u64,
        grant: Grant,
        took: Duration,
    ) {
        let fences = Fences::new(fence, pending.command.fences);
        let (id, command) = (pending.command.lock_id.clone(), &pending.command);
        let origin = Origin::new(command, pending.in_doubt(), self.state().store.is_guarded());
        let lease = Lease::new(id, pending.label, fences, grant, waiting > 0, origin).answered_after(took);
        baton.set_lease(Arc::new(lease));
    }
}
