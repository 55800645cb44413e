//! What the message of a hand-over is worth.
//!
//! A message that the lock was handed over answers no command, and comes by another connection. So it may be late: the lease
//! that it tells of may have ended, and somebody else may have had the lock since.
//!
//! **Invariant:** a lease that was handed over counts from a moment before the hand-over. The last command that was answered
//! "busy" was carried out before the hand-over, if the fence of the hand-over is above all that were given out when the answer
//! was made. Otherwise the message is older than the answer and is ignored. (Times could not tell that: clocks step back.)

use crate::types::boot_time::BootTime;

/// What is known about a pending request that decides whether the message of a hand-over is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct HandOverValidity {
    /// A moment before the store could hand the lock over.
    from: Option<BootTime>,
    /// The last fence that the store had given out before that; 0 if that is not known.
    last_fence: u64,
}

impl HandOverValidity {
    /// The request is about to be sent. The store hands the lock to nobody whose first command was not carried out.
    pub(crate) fn request_sent(&mut self, now: BootTime) {
        self.from.get_or_insert(now);
    }

    /// The command of `asked` was answered "busy", when the store had given out the fences up to `last_fence`.
    pub(crate) fn answered_busy(&mut self, asked: BootTime, last_fence: u64) {
        // Without that, an older message could not be told from a newer one.
        if last_fence > 0 {
            self.from = self.from.max(Some(asked));
            self.last_fence = self.last_fence.max(last_fence);
        }
    }

    /// From when the lease counts that a message says was handed over with `fence`. `None` if the message is too old.
    pub(crate) fn lease_start(&self, fence: u64) -> Option<BootTime> {
        self.from.filter(|_| fence > self.last_fence)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lease_that_was_handed_over_counts_from_the_last_busy_answer() {
        let [first, second, third] = [1, 2, 3].map(|second| BootTime::START.after(Duration::from_secs(second)));
        let mut validity = HandOverValidity::default();
        assert_eq!(validity.lease_start(7), None, "nothing was asked");
        validity.request_sent(first);
        assert_eq!(validity.lease_start(7), Some(first), "the message can overtake the first answer");
        validity.answered_busy(first, 6);
        validity.request_sent(second);
        assert_eq!(validity.lease_start(7), Some(first), "the second command may not have been carried out yet");
        validity.answered_busy(second, 6);
        validity.request_sent(third);
        assert_eq!(validity.lease_start(7), Some(second));
    }

    #[test]
    fn a_message_that_is_older_than_the_last_answer_is_ignored() {
        let now = BootTime::now();
        let mut validity = HandOverValidity::default();
        validity.request_sent(now);
        validity.answered_busy(now, 7);
        assert_eq!(validity.lease_start(7), None, "that lease ended, and somebody else had the lock since");
        assert_eq!(validity.lease_start(8), Some(now));
    }

    #[test]
    fn an_answer_that_knows_of_no_fence_changes_nothing() {
        let [first, second] = [1, 2].map(|second| BootTime::START.after(Duration::from_secs(second)));
        let mut validity = HandOverValidity::default();
        validity.request_sent(first);
        validity.request_sent(second);
        validity.answered_busy(second, 0);
        assert_eq!(validity.lease_start(1), Some(first), "the message may be older than the answer");
    }
}
