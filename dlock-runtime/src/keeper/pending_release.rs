//! Releases that were sent in order with what their callers ask next, and whose answers nobody waits for. The keeper
//! looks after them a little later, many at a time: to be woken for each would cost more than the release.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    keeper::{
        release::Leftover,
        state::{AtWork, Desk, Owed},
    },
    observe::caught::caught,
    store::Reply,
    types::clock::Moment,
};

/// How long an answer may take before the keeper asks by itself: the executor that drives the caller's connection may not
/// run any more.
const PATIENCE: Duration = Duration::from_millis(10);

/// What was sent and not confirmed.
pub(crate) struct Unconfirmed {
    sent: Mutex<Vec<Sent>>,
    look_at: AtomicU64,
}

struct Sent {
    leftover: Leftover,
    reply: Reply<bool>,
    at: Moment,
    owed: Owed,
    _at_work: AtWork,
}

impl Default for Unconfirmed {
    fn default() -> Self {
        Self { sent: Mutex::default(), look_at: AtomicU64::new(Moment::NEVER.to_bits()) }
    }
}

impl Unconfirmed {
    /// When the keeper must look after them.
    pub(crate) fn look_at(&self) -> Moment {
        Moment::from_bits(self.look_at.load(Ordering::SeqCst))
    }

    fn set_look_at(&self, at: Moment) {
        self.look_at.store(at.to_bits(), Ordering::SeqCst);
    }
}

impl Desk {
    /// Puts `reply` on the caller's connection. The keeper sees to it that what it asks for happens.
    pub(crate) fn confirm_later(self: &Arc<Self>, leftover: Leftover, mut reply: Reply<bool>) {
        if let Poll::Ready(answer) = poll(&mut reply) {
            if !leftover.is_settled_by(self, &answer) {
                self.detach(leftover.settle_owed(Arc::clone(self), self.owe()));
            }
            return;
        }
        let at = Moment::now();
        let sent = Sent { leftover, reply, at, owed: self.owe(), _at_work: self.at_work() };
        let mut all = self.unconfirmed.sent.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(sent);
        if all.len() == 1 {
            self.unconfirmed.set_look_at(at.after(PATIENCE));
            drop(all);
            self.ledger.nudge();
        }
    }

    /// Looks which of them are answered.
    pub(crate) fn confirm(self: &Arc<Self>, now: Moment) {
        let all = {
            let mut all = self.unconfirmed.sent.lock().unwrap_or_else(PoisonError::into_inner);
            self.unconfirmed.set_look_at(Moment::NEVER);
            std::mem::take(&mut *all)
        };
        let mut waiting = Vec::new();
        for mut sent in all {
            // One that panics is asked for again, as one without an answer, and the others are looked after.
            match caught(|| poll(&mut sent.reply)) {
                Some(Poll::Ready(answer)) if sent.leftover.is_settled_by(self, &answer) => {}
                Some(Poll::Pending) if now < sent.at.after(PATIENCE) => waiting.push(sent),
                _ => self.detach(sent.leftover.settle_owed(Arc::clone(self), sent.owed)),
            }
        }
        if !waiting.is_empty() {
            let mut all = self.unconfirmed.sent.lock().unwrap_or_else(PoisonError::into_inner);
            all.append(&mut waiting);
            self.unconfirmed.set_look_at(now.after(PATIENCE / 2));
        }
    }
}

/// Asks for an answer without waiting for it.
fn poll(reply: &mut Reply<bool>) -> Poll<Result<bool, crate::store::StoreError>> {
    reply.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
