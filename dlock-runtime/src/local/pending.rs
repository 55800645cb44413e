//! A request that waits for the store. One task after another may put it to the store, until it becomes a lease or is given
//! up. It keeps its place in the store's queue meanwhile.
//!
//! **Invariant:** a request that may have reached the store ends as a lease, as a definite "no" without a place in the queue, or
//! at the keeper, which releases it. A command without an answer is kept ([`InFlight`]) or makes the request doubtful.

use crate::{
    observe::caught::caught,
    protocol::hand_over::HandOverValidity,
    store::{AcquireCommand, AcquireReply, ReleaseCommand, Reply},
    sync::{Arc, Mutex, MutexGuard, Notify, Ordering, PoisonError},
    types::boot_time::BootTime,
};

/// A request under way.
pub(crate) struct PendingRequest {
    pub(crate) command: Arc<AcquireCommand>,
    /// The template of the request that began it.
    pub(crate) label: &'static str,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    validity: HandOverValidity,
    /// A hand-over that no task has taken yet.
    hand_over: Option<HandOver>,
    /// A message said that the lock is free, and no task has seen it yet.
    free: bool,
    /// Some command got no answer. The store may carry it out at any time.
    in_doubt: bool,
    /// The store may have the request in its queue.
    queued: bool,
    /// A message said that another client waits for the lock. It came before the reply that grants the lock to this request.
    contended: bool,
    /// A command whose task went away before the answer.
    in_flight: Option<InFlight>,
}

/// A hand-over that came by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandOver {
    /// The first of the fences.
    pub(crate) fence: u64,
    /// How many others wait.
    pub(crate) waiting: u64,
    /// From when it counts.
    pub(crate) from: BootTime,
}

/// A command without an answer yet.
pub(crate) struct InFlight {
    pub(crate) asked: BootTime,
    pub(crate) reply: Reply<AcquireReply>,
}

impl PendingRequest {
    pub(crate) fn new(command: AcquireCommand, label: &'static str) -> Self {
        Self { command: Arc::new(command), label, state: Mutex::default(), changed: Notify::new() }
    }

    /// A command is about to be sent.
    pub(crate) fn record_sent(&self, now: BootTime) {
        self.state().validity.request_sent(now);
    }

    /// The command of `asked` was answered "busy": the lock had been given away at `last_grant`, by the store's clock.
    pub(crate) fn record_busy(&self, asked: BootTime, last_grant: u64) {
        let mut state = self.state();
        state.validity.answered_busy(asked, last_grant);
        state.queued = self.command.waits;
    }

    /// A command got no answer.
    pub(crate) fn mark_in_doubt(&self) {
        let mut state = self.state();
        state.in_doubt = true;
        state.queued |= self.command.waits;
    }

    /// Whether the store may carry out a command late.
    pub(crate) fn in_doubt(&self) -> bool {
        self.state().in_doubt || self.command.doubled.load(Ordering::Acquire)
    }

    /// A message says that the lock was handed over at `since`, by the store's clock.
    pub(crate) fn notify_hand_over(&self, fence: u64, waiting: u64, since: u64) {
        let mut state = self.state();
        if let Some(from) = state.validity.lease_start(since) {
            state.hand_over = Some(HandOver { fence, waiting, from });
            drop(state);
            self.wake();
        }
    }

    /// The answer to a command whose task went away grants the lock.
    pub(crate) fn record_granted(&self, fence: u64, waiting: u64, from: BootTime) {
        self.state().hand_over = Some(HandOver { fence, waiting, from });
    }

    /// A message says that another client waits for the lock that this request got.
    pub(crate) fn mark_contended(&self) {
        self.state().contended = true;
    }

    pub(crate) fn is_contended(&self) -> bool {
        self.state().contended
    }

    /// Whether it was in the store's queue, so that the message of a hand-over may still come.
    pub(crate) fn was_queued(&self) -> bool {
        self.state().queued || (self.command.waits && self.command.doubled.load(Ordering::Acquire))
    }

    /// Whether it is in the store's queue and there is nothing to do but to wait for a message.
    pub(crate) fn is_queued_in_store(&self) -> bool {
        self.was_queued() && !self.in_doubt() && self.has_no_news()
    }

    /// Whether there is nothing that a task has not seen yet.
    pub(crate) fn has_no_news(&self) -> bool {
        let state = self.state();
        !(state.free || state.hand_over.is_some() || state.in_flight.is_some())
    }

    /// A message says that the lock is free.
    pub(crate) fn notify_free(&self) {
        self.state().free = true;
        self.wake();
    }

    /// Messages may have been missed: the task is to ask again.
    pub(crate) fn recheck(&self) {
        self.wake();
    }

    /// The waker may be code of users, and panic.
    fn wake(&self) {
        caught(|| self.changed.notify_one());
    }

    /// The hand-over that came since the last call.
    pub(crate) fn take_hand_over(&self) -> Option<HandOver> {
        self.state().hand_over.take()
    }

    /// Whether a message said since the last call that the lock is free.
    pub(crate) fn take_free_notice(&self) -> bool {
        std::mem::take(&mut self.state().free)
    }

    /// The task that sent a command goes away before the answer.
    pub(crate) fn keep_in_flight(&self, in_flight: InFlight) {
        // An older one, if any, is dropped after the lock is released.
        let _before = self.state().in_flight.replace(in_flight);
    }

    /// The command without an answer whose task went away.
    pub(crate) fn take_in_flight(&self) -> Option<InFlight> {
        self.state().in_flight.take()
    }

    /// Returns when there may be news.
    pub(crate) async fn news(&self) {
        self.changed.notified().await;
    }

    /// What must be sent to the store if no task goes on with the request. `None` if it knows nothing of it.
    pub(crate) fn release_command(&self) -> Option<ReleaseCommand> {
        let in_doubt = self.in_doubt();
        let state = self.state();
        let queued = state.queued || (in_doubt && self.command.waits);
        let queue_entry = queued.then(|| Arc::clone(&self.command));
        (queued || in_doubt || state.hand_over.is_some()).then(|| ReleaseCommand {
            lock_id: self.command.lock_id.clone(),
            fences: None,
            queue_entry,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
