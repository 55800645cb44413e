//! A task that waits, and those who are to be told that their wait is over.

use super::{TimedOut, WaitEnd};
use crate::{observe::caught::caught, sync::oneshot, types::boot_time::BootTime};

/// A task that waits.
pub(super) struct Waiter {
    /// How its wait ends.
    pub(super) end: oneshot::Sender<WaitEnd>,
    /// When it is out of time.
    pub(super) until: BootTime,
}

/// Waiters that were taken out of a queue. They are woken after our locks were released, because a waker is code of users.
///
/// Nearly always there are none, and then this costs nothing: it is made and dropped in each turn.
#[derive(Default)]
pub(super) struct Wakeups(Vec<(Waiter, Option<TimedOut>)>);

impl Wakeups {
    /// `waiter` is out of time, and `end` is what is known.
    pub(super) fn time_out(&mut self, waiter: Waiter, end: TimedOut) {
        self.0.push((waiter, Some(end)));
    }

    /// `waiter` went away by itself, or finds out by being dropped that nobody will call it.
    pub(super) fn let_go(&mut self, waiter: Waiter) {
        self.0.push((waiter, None));
    }

    #[inline]
    pub(super) fn send(self) {
        if !self.0.is_empty() {
            self.send_all();
        }
    }

    #[cold]
    fn send_all(self) {
        for (waiter, end) in self.0 {
            caught(|| match end {
                Some(end) => drop(waiter.end.send(WaitEnd::TimedOut(end))),
                None => drop(waiter),
            });
        }
    }
}
