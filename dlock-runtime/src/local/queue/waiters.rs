//! The tasks behind the head of a queue: first come, first served, and each until its time is over.
//!
//! To enter, to be served and to time out cost the same however many tasks wait. To find something in the middle would cost more:
//! a waiter that went away, or the deadline of one that was served. Such entries stay, until they are as many as the others.
//! Then all of them are swept out at once.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use super::waiter::{Waiter, Wakeups};
use crate::types::boot_time::BootTime;

/// With fewer entries a sweep is not worth it.
const FEW: usize = 32;

/// With fewer deadlines a sweep is not worth it either: a busy queue would sweep all the time.
const FEW_DEADLINES: usize = 1024;

/// The tasks that wait, by arrival and by deadline.
pub(super) struct Waiters {
    /// By arrival. `None` where a waiter timed out; others may have gone away by themselves.
    slots: VecDeque<Option<Waiter>>,
    /// The number of the first slot.
    first: u64,
    /// How many slots are `None`.
    empty: usize,
    /// When each waiter is out of time, by the number of its slot. A waiter without a limit has no entry.
    deadlines: BinaryHeap<Reverse<(BootTime, u64)>>,
    /// With so many slots a sweep is due.
    sweep_at: usize,
    /// How many slots and deadlines were looked at.
    #[cfg(test)]
    pub(super) work: usize,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            empty: 0,
            deadlines: BinaryHeap::new(),
            sweep_at: FEW,
            #[cfg(test)]
            work: 0,
        }
    }
}

impl Waiters {
    /// How many wait. Waiters that went away count until a sweep finds them.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.empty
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those who did not go away.
    pub(super) fn present(&self) -> impl Iterator<Item = &Waiter> {
        self.slots.iter().flatten().filter(|waiter| !waiter.end.is_closed())
    }

    /// Adds one at the end. Those who are found to have gone away go to `wakeups`.
    pub(super) fn push(&mut self, waiter: Waiter, wakeups: &mut Wakeups) {
        if self.slots.len() >= self.sweep_at || self.deadlines.len() >= 4 * self.slots.len() + FEW_DEADLINES {
            self.sweep(wakeups);
        }
        if waiter.until < BootTime::NEVER {
            self.deadlines.push(Reverse((waiter.until, self.first + self.slots.len() as u64)));
        }
        self.slots.push_back(Some(waiter));
    }

    /// Takes out the first one.
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        while let Some(slot) = self.slots.pop_front() {
            self.first += 1;
            self.count_work(1);
            match slot {
                Some(waiter) => return Some(waiter),
                None => self.empty -= 1,
            }
        }
        None
    }

    /// Takes out one that is out of time.
    pub(super) fn pop_timed_out(&mut self, now: BootTime) -> Option<Waiter> {
        while self.next_deadline()? <= now {
            if let Some(Reverse((_, number))) = self.deadlines.pop()
                && let Some(waiter) = self.slot(number).and_then(Option::take)
            {
                self.empty += 1;
                return Some(waiter);
            }
        }
        None
    }

    /// When the next one is out of time.
    pub(super) fn next_deadline(&mut self) -> Option<BootTime> {
        loop {
            let &Reverse((until, number)) = self.deadlines.peek()?;
            self.count_work(1);
            // Else the waiter was served already.
            if self.slot(number).is_some_and(|slot| slot.is_some()) {
                return Some(until);
            }
            self.deadlines.pop();
        }
    }

    /// Takes out all of them.
    pub(super) fn drain(&mut self) -> Vec<Waiter> {
        std::mem::take(self).slots.into_iter().flatten().collect()
    }

    /// Hands those who went away to `wakeups`, and drops the entries that are of no use any more.
    pub(super) fn sweep(&mut self, wakeups: &mut Wakeups) {
        self.count_work(self.slots.len());
        let mut slots = VecDeque::with_capacity(self.len() + 1);
        for waiter in self.slots.drain(..).flatten() {
            if waiter.end.is_closed() {
                wakeups.let_go(waiter);
            } else {
                slots.push_back(Some(waiter));
            }
        }
        self.slots = slots;
        (self.first, self.empty) = (0, 0);
        let deadlines = self.slots.iter().flatten().zip(0..).filter(|(waiter, _)| waiter.until < BootTime::NEVER);
        self.deadlines = deadlines.map(|(waiter, number)| Reverse((waiter.until, number))).collect();
        self.sweep_at = FEW.max(2 * self.slots.len());
    }

    fn slot(&mut self, number: u64) -> Option<&mut Option<Waiter>> {
        let index = number.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    fn count_work(&mut self, _count: usize) {
        #[cfg(test)]
        {
            self.work += _count;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::WaitEnd, *};
    use crate::sync::oneshot;

    fn at(second: u64) -> BootTime {
        BootTime::START.after(Duration::from_secs(second))
    }

    /// With the ends of those who wait, which would have gone away without them.
    fn waiters(until: &[BootTime]) -> (Waiters, Vec<oneshot::Receiver<WaitEnd>>) {
        let mut waiters = Waiters::default();
        let ends = until.iter().map(|&until| {
            let (end, wait) = oneshot::channel();
            waiters.push(Waiter { end, until }, &mut Wakeups::default());
            wait
        });
        let ends = ends.collect();
        (waiters, ends)
    }

    fn until(waiter: Option<Waiter>) -> Option<BootTime> {
        waiter.map(|waiter| waiter.until)
    }

    #[test]
    fn whoever_is_out_of_time_is_found_though_others_were_served_before() {
        let (mut waiters, _ends) = waiters(&[at(4), at(2), BootTime::NEVER, at(3), at(9)]);
        assert_eq!(until(waiters.pop()), Some(at(4)));
        assert_eq!(until(waiters.pop_timed_out(at(3))), Some(at(2)));
        assert_eq!(until(waiters.pop_timed_out(at(3))), Some(at(3)));
        assert_eq!(until(waiters.pop_timed_out(at(3))), None);
        assert_eq!((waiters.len(), waiters.next_deadline()), (2, Some(at(9))));
        assert_eq!(until(waiters.pop()), Some(BootTime::NEVER));
        assert_eq!((until(waiters.pop()), until(waiters.pop())), (Some(at(9)), None));
        assert_eq!((waiters.len(), waiters.next_deadline()), (0, None));
    }

    #[test]
    fn those_who_timed_out_or_were_served_do_not_count() {
        let (mut waiters, _ends) = waiters(&[at(1), at(2), at(3)]);
        assert!(!waiters.is_empty() && waiters.pop_timed_out(at(1)).is_some());
        assert_eq!((waiters.len(), waiters.present().count()), (2, 2));
        assert_eq!(until(waiters.pop()), Some(at(2)));
        assert_eq!(waiters.drain().into_iter().map(|waiter| waiter.until).collect::<Vec<_>>(), [at(3)]);
        assert!(waiters.is_empty() && waiters.pop().is_none());
    }
}
