//! A request that waits for the store. One task after another may put it to the store, until it becomes a lease or is given
//! up. It keeps its place in the store's queue meanwhile.
//!
//! **Invariant:** a request that may have reached the store ends as a lease, as a definite "no" without a place in the queue, or
//! at the keeper, which releases it. A command without an answer is kept ([`InFlight`]) or makes the request doubtful.

use crate::{
    observe::caught::caught,
    protocol::hand_over::HandOverValidity,
    store::{AcquireCommand, AcquireReply, ReleaseCommand, Reply},
    sync::{Arc, Mutex, MutexGuard, Notify, Ordering, lock},
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

    /// The command of `asked` was answered "busy", when the store had given out the fences up to `last_fence`.
    pub(crate) fn record_busy(&self, asked: BootTime, last_fence: u64) {
        let mut state = self.state();
        state.validity.answered_busy(asked, last_fence);
        state.queued = self.command.waits;
    }

    /// A command was answered: the store grants nothing yet. That says nothing about a hand-over by the server that was there before:
    /// its message may be late, and its lease counts from what that server answered.
    pub(crate) fn record_closed(&self) {
        self.state().queued = self.command.waits;
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

    /// A message says that the lock was handed over, with the fences from `fence` on.
    pub(crate) fn notify_hand_over(&self, fence: u64, waiting: u64) {
        let mut state = self.state();
        if let Some(from) = state.validity.lease_start(fence) {
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
            queue_entry,
            is_unwanted: false,
            last_fence: 0,
            taken_by: None,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU64},
        time::Duration,
    };

    use super::*;
    use crate::protocol::token::{Identity, LockId, Token};

    fn pending(waits: bool) -> PendingRequest {
        let token = Token::new(Identity::random().expect("random numbers"), 1);
        let command = AcquireCommand {
            lock_id: LockId { name: "k".into(), token },
            ttl: Duration::from_secs(10),
            fences: 1,
            who: String::new(),
            waits,
            is_contended: false,
            sent: AtomicBool::new(false),
            doubled: AtomicBool::new(false),
            since: AtomicU64::new(0),
        };
        PendingRequest::new(command, "k")
    }

    /// Whether the store is told anything when it is given up, and whether of a place in the queue.
    fn left(pending: &PendingRequest) -> Option<bool> {
        pending.release_command().map(|command| command.queue_entry.is_some())
    }

    /// What happened to a request; what is left to the store, and whether it was queued, each if it does not wait and if it does;
    /// whether it is in doubt.
    type Case = (fn(&PendingRequest), [Option<bool>; 2], [bool; 2], bool);

    #[test]
    fn the_store_is_told_of_whatever_it_may_know() {
        let cases: [Case; 6] = [
            (|_| {}, [None, None], [false, false], false),
            (|pending| pending.record_busy(BootTime::now(), 1), [None, Some(true)], [false, true], false),
            (PendingRequest::record_closed, [None, Some(true)], [false, true], false),
            (PendingRequest::mark_in_doubt, [Some(false), Some(true)], [false, true], true),
            (
                |pending| pending.command.doubled.store(true, Ordering::Release),
                [Some(false), Some(true)],
                [false, true],
                true,
            ),
            (
                |pending| pending.record_granted(1, 0, BootTime::now()),
                [Some(false), Some(false)],
                [false, false],
                false,
            ),
        ];
        for (number, (past, leaves, queued, in_doubt)) in cases.into_iter().enumerate() {
            for (waits, leaves, queued) in [(false, leaves[0], queued[0]), (true, leaves[1], queued[1])] {
                let pending = pending(waits);
                past(&pending);
                assert_eq!((left(&pending), pending.was_queued()), (leaves, queued), "{number}, {waits}");
                assert_eq!(pending.in_doubt(), in_doubt, "{number}, {waits}");
            }
        }
    }

    /// One of the server before may be late: what it gave counts from what that server answered.
    #[test]
    fn a_closed_server_says_nothing_of_a_hand_over() {
        let [asked, again] = [1, 2].map(|second| BootTime::START.after(Duration::from_secs(second)));
        let pending = pending(true);
        pending.record_sent(asked);
        pending.record_busy(asked, 6);
        pending.record_sent(again);
        pending.record_closed();
        pending.notify_hand_over(7, 0);
        assert_eq!(pending.take_hand_over().map(|hand_over| hand_over.from), Some(asked));
    }

    #[test]
    fn a_place_in_the_queue_is_not_forgotten_over_a_doubt() {
        let pending = pending(true);
        pending.record_busy(BootTime::now(), 1);
        pending.mark_in_doubt();
        assert!(pending.was_queued() && pending.in_doubt());
    }

    #[test]
    fn news_are_there_until_a_task_has_seen_them() {
        let pending = pending(true);
        pending.record_busy(BootTime::now(), 1);
        assert!(pending.has_no_news() && !pending.take_free_notice());
        pending.notify_free();
        assert!(!pending.has_no_news());
        assert!(pending.take_free_notice() && pending.has_no_news());
        let (from, asked) = (BootTime::now(), BootTime::now());
        pending.record_granted(7, 2, from);
        assert!(!pending.has_no_news());
        assert_eq!(pending.take_hand_over(), Some(HandOver { fence: 7, waiting: 2, from }));
        assert!(pending.take_hand_over().is_none() && pending.has_no_news());
        pending.keep_in_flight(InFlight { asked, reply: Box::pin(std::future::pending()) });
        assert!(!pending.has_no_news());
        assert!(pending.take_in_flight().is_some_and(|in_flight| in_flight.asked == asked));
        assert!(pending.take_in_flight().is_none() && pending.has_no_news());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_news_is_woken_to_look() {
        let pending = pending(true);
        let has_waited = async || tokio::time::timeout(Duration::from_secs(1), pending.news()).await.is_err();
        assert!(has_waited().await, "there is nothing new");
        pending.recheck();
        assert!(!has_waited().await, "messages may have been missed");
        pending.notify_free();
        assert!(!has_waited().await, "it is free");
        pending.record_sent(BootTime::now());
        pending.notify_hand_over(1, 0);
        assert!(!has_waited().await, "it was handed over");
        assert!(has_waited().await, "once each");
    }
}
