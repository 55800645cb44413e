//! Releases that were sent on the caller's connection, and for whose replies nobody waits. The keeper looks at the replies a
//! little later, many at a time: to be woken for each would cost more than the release.

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
        pending_release::PendingRelease,
        state::{JobGuard, KeeperState},
    },
    local::turn::Obligation,
    observe::caught::caught,
    store::Reply,
    types::boot_time::BootTime,
};

/// How long a reply may take before the keeper sends the release by itself: the executor that drives the caller's connection
/// may not run any more. While replies to others arrive it runs, and the time is that of a command.
const REPLY_TIMEOUT: Duration = Duration::from_millis(10);

/// Releases that were sent and not confirmed.
pub(crate) struct UnconfirmedReleases {
    sent: Mutex<Vec<SentRelease>>,
    look_at: AtomicU64,
}

struct SentRelease {
    pending: PendingRelease,
    reply: Reply<bool>,
    at: BootTime,
    obligation: Obligation<KeeperState>,
    _guard: JobGuard,
}

impl Default for UnconfirmedReleases {
    fn default() -> Self {
        Self { sent: Mutex::default(), look_at: AtomicU64::new(BootTime::NEVER.to_bits()) }
    }
}

impl UnconfirmedReleases {
    /// When the keeper must look at their replies.
    pub(crate) fn look_at(&self) -> BootTime {
        BootTime::from_bits(self.look_at.load(Ordering::SeqCst))
    }

    fn set_look_at(&self, at: BootTime) {
        self.look_at.store(at.to_bits(), Ordering::SeqCst);
    }
}

impl KeeperState {
    /// Sends the command of `pending`, whose reply is `reply`, on the caller's connection. The keeper confirms it later.
    pub(crate) fn confirm_later(self: &Arc<Self>, pending: PendingRelease, mut reply: Reply<bool>) {
        if let Poll::Ready(reply) = poll(&mut reply) {
            if !pending.is_confirmed_by(self, &reply) {
                self.detach(pending.finish(Arc::clone(self), Obligation::of(Arc::clone(self))));
            }
            return;
        }
        let at = BootTime::now();
        let obligation = Obligation::of(Arc::clone(self));
        let sent = SentRelease { pending, reply, at, obligation, _guard: self.begin_job() };
        let mut all = self.unconfirmed_releases.sent.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(sent);
        if all.len() == 1 {
            self.unconfirmed_releases.set_look_at(at.after(REPLY_TIMEOUT));
            drop(all);
            self.schedule.wake();
        }
    }

    /// Looks at the replies of the releases that were sent.
    pub(crate) fn confirm(self: &Arc<Self>, now: BootTime) {
        let all = {
            let mut all = self.unconfirmed_releases.sent.lock().unwrap_or_else(PoisonError::into_inner);
            self.unconfirmed_releases.set_look_at(BootTime::NEVER);
            std::mem::take(&mut *all)
        };
        let (mut waiting, mut late, mut replies) = (Vec::new(), Vec::new(), 0);
        for mut sent in all {
            // If one panics, it is sent again, as if it had no reply, and the others are looked at.
            match caught(|| poll(&mut sent.reply)) {
                Some(Poll::Ready(reply)) if sent.pending.is_confirmed_by(self, &reply) => replies += 1,
                Some(Poll::Pending) if now < sent.at.after(REPLY_TIMEOUT) => waiting.push(sent),
                Some(Poll::Pending) if now < sent.at.after(self.command_timeout) => late.push(sent),
                _ => self.detach(sent.pending.finish(Arc::clone(self), sent.obligation)),
            }
        }
        // Where replies arrive, the others are merely behind them.
        if replies > 0 {
            waiting.append(&mut late);
        }
        for sent in late {
            self.detach(sent.pending.finish(Arc::clone(self), sent.obligation));
        }
        if !waiting.is_empty() {
            let mut all = self.unconfirmed_releases.sent.lock().unwrap_or_else(PoisonError::into_inner);
            all.append(&mut waiting);
            self.unconfirmed_releases.set_look_at(now.after(REPLY_TIMEOUT / 2));
        }
    }
}

/// Polls once, without waiting.
fn poll(reply: &mut Reply<bool>) -> Poll<Result<bool, crate::store::StoreError>> {
    reply.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
