//! A request that is put to the store, by one task after another if need be, until it is answered or given up. It keeps
//! its place in the store's queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering};

use tokio::sync::Notify;

use crate::{
    observe::caught::caught,
    protocol::hand_over::Inquiry,
    store::{Answer, Claim, Leaving, Reply},
    types::clock::Moment,
};

/// A request under way in the store.
pub(crate) struct Ask {
    pub(crate) claim: Arc<Claim>,
    /// The template of the request that began it.
    pub(crate) label: &'static str,
    state: Mutex<State>,
    heard: Notify,
}

#[derive(Default)]
struct State {
    inquiry: Inquiry,
    /// A hand-over that nobody has looked at yet.
    grant: Option<Granted>,
    /// A message said that the lock is free.
    free: bool,
    /// Some question got no answer. It may be carried out at any time.
    in_doubt: bool,
    /// The store may have it in its queue.
    queued: bool,
    /// A message said that somebody waits for what it got, before it was known that it got it.
    wanted: bool,
    /// A question whose task went away.
    pending: Option<Question>,
}

/// A hand-over of which a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The first of the fences.
    pub(crate) fence: u64,
    /// How many others wait.
    pub(crate) waiting: u64,
    /// From when it counts.
    pub(crate) from: Moment,
}

/// A question to the store that is under way.
pub(crate) struct Question {
    pub(crate) asked: Moment,
    pub(crate) reply: Reply<Answer>,
}

impl Ask {
    pub(crate) fn new(claim: Claim, label: &'static str) -> Self {
        Self { claim: Arc::new(claim), label, state: Mutex::default(), heard: Notify::new() }
    }

    /// A question leaves now.
    pub(crate) fn leaves(&self, now: Moment) {
        self.state().inquiry.ask(now);
    }

    /// The question of `asked` was answered "not yet": the lock had been given away at `floor`, by the store's clock.
    pub(crate) fn not_yet(&self, asked: Moment, floor: u64) {
        let mut state = self.state();
        state.inquiry.not_yet(asked, floor);
        state.queued = self.claim.waits;
    }

    /// A question got no answer.
    pub(crate) fn doubt(&self) {
        let mut state = self.state();
        state.in_doubt = true;
        state.queued |= self.claim.waits;
    }

    pub(crate) fn in_doubt(&self) -> bool {
        self.state().in_doubt || self.claim.doubled.load(Ordering::Acquire)
    }

    /// A message says that the lock was handed over at `since`, by the store's clock.
    pub(crate) fn granted(&self, fence: u64, waiting: u64, since: u64) {
        let mut state = self.state();
        if let Some(from) = state.inquiry.handed(since) {
            state.grant = Some(Granted { fence, waiting, from });
            drop(state);
            self.wake();
        }
    }

    /// The answer of a question whose task went away says so.
    pub(crate) fn granted_by_reply(&self, fence: u64, waiting: u64, from: Moment) {
        self.state().grant = Some(Granted { fence, waiting, from });
    }

    /// A message says that somebody waits for the lock that this got.
    pub(crate) fn want(&self) {
        self.state().wanted = true;
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.state().wanted
    }

    /// Whether it stood in the queue, so that a message of a hand-over may come yet.
    pub(crate) fn was_queued(&self) -> bool {
        self.state().queued || (self.claim.waits && self.claim.doubled.load(Ordering::Acquire))
    }

    /// Whether it has its place in the store's queue and there is nothing to do but to listen.
    pub(crate) fn is_answered(&self) -> bool {
        self.was_queued() && !self.in_doubt() && self.is_quiet()
    }

    /// Whether nothing was heard of it that nobody has looked at yet.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.state();
        !(state.free || state.grant.is_some() || state.pending.is_some())
    }

    /// A message says that the lock is free.
    pub(crate) fn free(&self) {
        self.state().free = true;
        self.wake();
    }

    /// Messages may have been missed: it is time to ask again.
    pub(crate) fn stir(&self) {
        self.wake();
    }

    /// The waker may be one of the user's.
    fn wake(&self) {
        caught(|| self.heard.notify_one());
    }

    /// The hand-over that was heard of since the last time.
    pub(crate) fn take_grant(&self) -> Option<Granted> {
        self.state().grant.take()
    }

    /// Whether the lock was said to be free since the last time.
    pub(crate) fn take_free(&self) -> bool {
        std::mem::take(&mut self.state().free)
    }

    /// The task that put a question goes away before the answer.
    pub(crate) fn suspend(&self, question: Question) {
        // What was there before is no news any more; it is dropped outside of the lock.
        let _before = self.state().pending.replace(question);
    }

    /// The question that is under way, if its task went away.
    pub(crate) fn resume(&self) -> Option<Question> {
        self.state().pending.take()
    }

    /// Returns when there may be news.
    pub(crate) async fn heard(&self) {
        self.heard.notified().await;
    }

    /// What the store must be told if nobody asks on. `None` if it knows nothing of it.
    pub(crate) fn leaving(&self) -> Option<Leaving> {
        let in_doubt = self.in_doubt();
        let state = self.state();
        let queued = state.queued || (in_doubt && self.claim.waits);
        let seat = queued.then(|| Arc::clone(&self.claim));
        (queued || in_doubt || state.grant.is_some()).then(|| Leaving {
            ticket: self.claim.ticket.clone(),
            fences: None,
            seat,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
