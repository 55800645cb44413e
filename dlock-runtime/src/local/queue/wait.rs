//! A task's wait in a local queue: how it begins and how it ends.

use super::{Baton, LocalQueues};
use crate::{
    local::{lease::Lease, verdict::Verdict},
    sync::{Arc, Ordering, oneshot},
};

/// What came of entering a queue.
pub(crate) enum Entered<'a> {
    /// The task is the head.
    Head(Baton),
    /// Other tasks came before it.
    Queued(QueuedWaiter<'a>),
    /// Too many other tasks wait.
    Full,
}

/// How a task's wait ended.
pub(crate) enum WaitEnd {
    /// It is the head now.
    Baton(Baton),
    /// It is out of time.
    TimedOut(TimedOut),
    /// The runtime was shut down.
    Closed,
}

/// What is known about the lock when a task's time is over.
#[derive(Clone)]
pub(crate) enum TimedOut {
    /// A turn of this process is under way on this lease.
    HeldHere(Arc<Lease>),
    /// The store answered so not long ago.
    LastAnswer(Box<Verdict>),
    /// Nothing. This task shall ask the store and record the answer, for which others wait.
    AskStore,
    /// Nothing, and no answer came in time.
    NoAnswer,
}

/// A task that waits in a queue. Dropping it leaves the queue.
pub(crate) struct QueuedWaiter<'a> {
    queues: &'a LocalQueues,
    end: oneshot::Receiver<WaitEnd>,
}

impl<'a> QueuedWaiter<'a> {
    /// Its waiter is counted already.
    pub(super) fn new(queues: &'a LocalQueues, end: oneshot::Receiver<WaitEnd>) -> Self {
        Self { queues, end }
    }

    /// Waits for the baton, at most until its time is over.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: `wait` may be called again.
    pub(crate) async fn wait(&mut self) -> WaitEnd {
        (&mut self.end).await.unwrap_or(WaitEnd::Closed)
    }
}

impl Drop for QueuedWaiter<'_> {
    fn drop(&mut self) {
        self.queues.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
