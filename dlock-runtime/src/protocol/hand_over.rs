//! What is known about a request for a lock that is put to the store again and again, and what a message about it is
//! worth.
//!
//! A message that the lock was handed over comes without a question to count from, by another connection, and may be
//! late: the lease that it tells of may have ended, and somebody else had the lock since.
//!
//! **Invariant:** a lease that was handed over counts from a moment before the hand-over. The last question that was
//! answered "not yet" was carried out before it, if the hand-over is later, by the store's clock, than the last one that
//! the answer knew of; else the message is older than the answer and says nothing. (Fences would not do: those that were
//! not used go back.)

use crate::types::clock::Moment;

/// A request over all the times that it is asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inquiry {
    /// A moment before the store could hand the lock over.
    from: Option<Moment>,
    /// When the store gave the lock away the last time before that, by its clock; 0 if that is not known.
    floor: u64,
}

impl Inquiry {
    /// A question is about to be sent. The lock is handed to nobody whose first question was not carried out.
    pub(crate) fn ask(&mut self, now: Moment) {
        self.from.get_or_insert(now);
    }

    /// The question of `asked` was answered "not yet": the lock had been given away at `floor`, by the store's clock.
    pub(crate) fn not_yet(&mut self, asked: Moment, floor: u64) {
        // Without a floor, an older message could not be told from a newer one.
        if floor > 0 {
            self.from = self.from.max(Some(asked));
            self.floor = self.floor.max(floor);
        }
    }

    /// From when a lease counts that a message says was handed over at `since`, by the store's clock. `None` if the
    /// message is too old.
    pub(crate) fn handed(&self, since: u64) -> Option<Moment> {
        self.from.filter(|_| since > self.floor)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lease_that_was_handed_over_counts_from_the_last_not_yet() {
        let [first, second, third] = [1, 2, 3].map(|second| Moment::START.after(Duration::from_secs(second)));
        let mut inquiry = Inquiry::default();
        assert_eq!(inquiry.handed(7), None, "nothing was asked");
        inquiry.ask(first);
        assert_eq!(inquiry.handed(7), Some(first), "the message can overtake the first answer");
        inquiry.not_yet(first, 6);
        inquiry.ask(second);
        assert_eq!(inquiry.handed(7), Some(first), "the second question may not have been carried out yet");
        inquiry.not_yet(second, 6);
        inquiry.ask(third);
        assert_eq!(inquiry.handed(7), Some(second));
    }

    #[test]
    fn a_message_that_is_older_than_the_last_answer_says_nothing() {
        let now = Moment::now();
        let mut inquiry = Inquiry::default();
        inquiry.ask(now);
        inquiry.not_yet(now, 7);
        assert_eq!(inquiry.handed(7), None, "that lease ended, and somebody else had the lock since");
        assert_eq!(inquiry.handed(8), Some(now));
    }

    #[test]
    fn an_answer_that_knows_of_no_hand_over_moves_nothing() {
        let [first, second] = [1, 2].map(|second| Moment::START.after(Duration::from_secs(second)));
        let mut inquiry = Inquiry::default();
        inquiry.ask(first);
        inquiry.ask(second);
        inquiry.not_yet(second, 0);
        assert_eq!(inquiry.handed(1), Some(first), "the message may be older than the answer");
    }
}
