//! What a store is asked to do, and what it replies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{protocol::token::LockId, types::holder::Holder};

/// How long an entry of the store's queue lasts after its waiter asked last. Far more than the longest pause between two
/// commands.
pub(crate) const QUEUE_ENTRY_TTL: Duration = Duration::from_secs(1);

/// Asks for a lock.
#[derive(Debug)]
pub(crate) struct AcquireCommand {
    pub(crate) lock_id: LockId,
    pub(crate) ttl: Duration,
    /// How many fences to reserve; 0 if nobody looks at them.
    pub(crate) fences: u32,
    /// Host, process and function, for operators.
    pub(crate) who: String,
    /// Whether to queue if the lock is taken.
    pub(crate) waits: bool,
    /// Somebody else had the lock not long ago, so that it may be taken now.
    pub(crate) is_contended: bool,
    /// Set by the store once the command may have left: from then on it may be carried out at any time.
    pub(crate) sent: AtomicBool,
    /// Set by the store when it sent a second copy because the connection broke: the first copy may be carried out late.
    pub(crate) doubled: AtomicBool,
    /// Set by the store if it knows the value by which the lock was taken, and can compare it as a whole: the time in there, in
    /// microseconds. Else 0.
    pub(crate) since: AtomicU64,
}

impl AcquireCommand {
    /// The last of the fences that came with a grant, of which `first` is the first.
    pub(crate) fn last_fence(&self, first: u64) -> u64 {
        first.saturating_add(self.fences.saturating_sub(1).into())
    }

    /// Whether nothing is needed of the store but to take the lock if it is free, as it probably is.
    pub(crate) fn may_be_plain(&self) -> bool {
        self.fences == 0 && self.is_probably_free()
    }

    /// Whether it asks for one fence and no more than [`may_be_plain`](Self::may_be_plain), so that it may be asked for together
    /// with other locks.
    pub(crate) fn may_be_one_of_many(&self) -> bool {
        self.fences == 1 && self.is_probably_free()
    }

    /// Nobody else is known to have the lock, nor can an earlier copy have taken it.
    fn is_probably_free(&self) -> bool {
        !self.is_contended && !self.sent.load(Ordering::Acquire)
    }

    /// The time in the value by which the lock was taken, if the store can compare that.
    pub(crate) fn since(&self) -> Option<u64> {
        Some(self.since.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }

    /// It is about to leave. `repeated` says that an earlier copy may be carried out yet.
    pub(crate) fn note_sent(&self, repeated: bool) {
        self.sent.store(true, Ordering::Release);
        if repeated {
            self.doubled.store(true, Ordering::Release);
        }
    }
}

/// The reply to an [`AcquireCommand`].
#[derive(Debug)]
pub(crate) enum AcquireReply {
    /// The lock is the caller's, with the fences from `fence` on. `waiting` others wait.
    Granted { fence: u64, waiting: u64 },
    /// Somebody else holds it. All fences given out so far are at most `last_fence`; 0 if that is not known.
    Busy { holder: Holder, last_fence: u64 },
    /// The store grants nothing for another `opens_in`, as somebody may hold the lock yet that it does not know of. A command that waits
    /// is in the queue.
    Closed { opens_in: Duration },
}

/// Asks for a longer lease, or for a shorter one.
#[derive(Clone, Debug)]
pub(crate) struct RenewCommand {
    pub(crate) lock_id: LockId,
    pub(crate) ttl: Duration,
    /// Whether the lease may become shorter. Else it is only ever prolonged.
    pub(crate) shorten: bool,
    /// How many fences to reserve in addition.
    pub(crate) more_fences: u32,
    /// How a guarded store knows a lock that it granted before a failover.
    pub(crate) prior_grant: Option<PriorGrant>,
}

/// What it takes to bring a lock back that a guarded store lost by a failover.
#[derive(Clone, Debug)]
pub(crate) struct PriorGrant {
    /// The last fence that was reserved for it: who was granted the lock later has a higher one.
    pub(crate) last_fence: u64,
    /// The command by which it was acquired.
    pub(crate) acquired_by: Arc<AcquireCommand>,
}

/// The reply to a [`RenewCommand`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RenewReply {
    /// The token does not hold the lock.
    NotHeld,
    /// The lease started anew.
    Renewed,
    /// The lease started anew, and there are fences from this one on.
    RenewedWithFences(u64),
    /// The same as `Renewed`, of a lock that the store had lost by a failover.
    CameBack,
}

/// Gives back a lock, or a queue entry.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseCommand {
    pub(crate) lock_id: LockId,
    /// The queue entry that it may have.
    pub(crate) queue_entry: Option<Arc<AcquireCommand>>,
    /// Nobody else is known to want the lock, so that it probably goes to nobody.
    pub(crate) is_unwanted: bool,
    /// The last fence that was reserved for the lease, if the store is guarded; 0 for a request.
    pub(crate) last_fence: u64,
    /// The command that took the lock, if the store can compare the value that it has since.
    pub(crate) taken_by: Option<Arc<AcquireCommand>>,
}

impl ReleaseCommand {
    /// Whether it may be released together with other locks.
    pub(crate) fn may_be_one_of_many(&self) -> bool {
        self.is_unwanted && self.queue_entry.is_none()
    }
}
