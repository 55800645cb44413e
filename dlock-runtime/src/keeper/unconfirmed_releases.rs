//! Releases that were sent on the caller's connection, and for whose replies nobody waits. The keeper looks at the replies a
//! little later, many at a time: to be woken for each would cost more than the release.
//!
//! Each keeps its leave to be under way until its reply is looked at. Without leave the next release would go another way than the
//! caller's connection, and come after the caller's next request. So where there are many, callers look themselves: the keeper may be
//! late on a busy machine.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
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
    system::lock,
    types::boot_time::BootTime,
};

/// How long a reply may take before the keeper sends the release by itself: the executor that drives the caller's connection
/// may not run any more. While replies to others arrive it runs, and the time is that of a command.
const REPLY_TIMEOUT: Duration = Duration::from_millis(10);

/// From so many on, who sends one more looks at the oldest.
const MANY: usize = 256;

/// So many without a reply end such a look.
const MOST_PENDING: usize = 4;

/// Releases that were sent and not confirmed.
pub(crate) struct UnconfirmedReleases {
    sent: Mutex<VecDeque<SentRelease>>,
    look_at: AtomicU64,
}

struct SentRelease {
    pending: PendingRelease,
    reply: Reply<bool>,
    at: BootTime,
    obligation: Obligation<KeeperState>,
    _guard: JobGuard,
}

/// What a look at the reply of one shows.
enum Look {
    Confirmed,
    /// The reply was an error.
    SentAgain,
    Waiting(SentRelease),
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

    fn sent(&self) -> MutexGuard<'_, VecDeque<SentRelease>> {
        lock(&self.sent)
    }

    /// Adds some, of which the keeper must look at the first by `at`. Returns how many there are, and whether the keeper does not know
    /// of it.
    fn add(&self, some: impl IntoIterator<Item = SentRelease>, at: BootTime) -> (usize, bool) {
        let mut sent = self.sent();
        sent.extend(some);
        let is_news = !sent.is_empty() && self.look_at() == BootTime::NEVER;
        if is_news {
            self.set_look_at(at);
        }
        (sent.len(), is_news)
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
        if self.keep_unconfirmed([sent], at.after(REPLY_TIMEOUT)) >= MANY {
            self.confirm_oldest();
        }
    }

    /// Looks at the replies of the releases that were sent.
    pub(crate) fn confirm(self: &Arc<Self>, now: BootTime) {
        let all = {
            let mut sent = self.unconfirmed_releases.sent();
            self.unconfirmed_releases.set_look_at(BootTime::NEVER);
            std::mem::take(&mut *sent)
        };
        let (mut waiting, mut late, mut replies) = (Vec::new(), Vec::new(), 0);
        for sent in all {
            match self.look(sent) {
                Look::Confirmed => replies += 1,
                Look::SentAgain => {}
                Look::Waiting(sent) if now < sent.at.after(REPLY_TIMEOUT) => waiting.push(sent),
                Look::Waiting(sent) => late.push(sent),
            }
        }
        for sent in late {
            // Where replies arrive, the others are merely behind them.
            if replies > 0 && now < sent.at.after(self.command_timeout) {
                waiting.push(sent);
            } else {
                self.detach(sent.pending.finish(Arc::clone(self), sent.obligation));
            }
        }
        self.keep_unconfirmed(waiting, now.after(REPLY_TIMEOUT / 2));
    }

    /// Looks at the oldest ones, of which most have their replies.
    fn confirm_oldest(self: &Arc<Self>) {
        let mut waiting = Vec::new();
        while waiting.len() < MOST_PENDING {
            let Some(sent) = self.unconfirmed_releases.sent().pop_front() else { break };
            if let Look::Waiting(sent) = self.look(sent) {
                waiting.push(sent);
            }
        }
        self.keep_unconfirmed(waiting, BootTime::now().after(REPLY_TIMEOUT));
    }

    /// The keeper looks at `some` by `at`, or earlier if it has to look at others. Returns how many there are.
    fn keep_unconfirmed(&self, some: impl IntoIterator<Item = SentRelease>, at: BootTime) -> usize {
        let (count, is_news) = self.unconfirmed_releases.add(some, at);
        if is_news {
            self.schedule.wake();
        }
        count
    }

    fn look(self: &Arc<Self>, mut sent: SentRelease) -> Look {
        // If one panics, it is sent again, as if it had no reply, and the others are looked at.
        match caught(|| poll(&mut sent.reply)) {
            Some(Poll::Pending) => return Look::Waiting(sent),
            Some(Poll::Ready(reply)) if sent.pending.is_confirmed_by(self, &reply) => return Look::Confirmed,
            _ => self.detach(sent.pending.finish(Arc::clone(self), sent.obligation)),
        }
        Look::SentAgain
    }
}

/// Polls once, without waiting.
fn poll(reply: &mut Reply<bool>) -> Poll<Result<bool, crate::store::StoreError>> {
    reply.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
