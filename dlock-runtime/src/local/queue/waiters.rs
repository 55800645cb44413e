//! The tasks behind the head of a line: first come, first served, and each until its time is over.
//!
//! To join, to be served and to be sent away cost the same however many wait. What would have to be looked for in the middle
//! is left there and swept up when it is as much as the rest: waiters who went away by themselves, and deadlines of those who
//! were served.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use tokio::sync::oneshot;

use super::Pass;
use crate::types::clock::Moment;

/// With fewer than these there is nothing to sweep up.
const FEW: usize = 32;

/// With fewer deadlines than these it does not matter whose they are: a busy line would sweep them up all the time.
const FEW_DEADLINES: usize = 1024;

/// A task in line.
pub(super) struct Waiter {
    pub(super) turn: oneshot::Sender<Pass>,
    /// When it runs out of time.
    pub(super) until: Moment,
}

/// Those in line, by arrival and by deadline.
pub(super) struct Queue {
    /// Some may have gone, and some were taken out.
    slots: VecDeque<Option<Waiter>>,
    /// The number of the first slot.
    first: u64,
    /// How many slots were emptied.
    empty: usize,
    /// When each runs out of time, by the number of its slot. Who waits for ever has none.
    deadlines: BinaryHeap<Reverse<(Moment, u64)>>,
    /// With so many slots it is looked who went away.
    sweep_at: usize,
    /// How many slots and deadlines were looked at.
    #[cfg(test)]
    pub(super) work: usize,
}

impl Default for Queue {
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

impl Queue {
    /// How many are in line, with those who went away and were not noticed yet.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.empty
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who is there.
    pub(super) fn present(&self) -> impl Iterator<Item = &Waiter> {
        self.slots.iter().flatten().filter(|waiter| !waiter.turn.is_closed())
    }

    /// Takes in the last one. Those who went away are put into `gone`.
    pub(super) fn push(&mut self, waiter: Waiter, gone: &mut Vec<Waiter>) {
        if self.slots.len() >= self.sweep_at || self.deadlines.len() >= 4 * self.slots.len() + FEW_DEADLINES {
            self.sweep(gone);
        }
        if waiter.until < Moment::NEVER {
            self.deadlines.push(Reverse((waiter.until, self.first + self.slots.len() as u64)));
        }
        self.slots.push_back(Some(waiter));
    }

    /// Takes out the first one.
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        while let Some(slot) = self.slots.pop_front() {
            self.first += 1;
            self.look(1);
            match slot {
                Some(waiter) => return Some(waiter),
                None => self.empty -= 1,
            }
        }
        None
    }

    /// Takes out one whose time is over.
    pub(super) fn pop_late(&mut self, now: Moment) -> Option<Waiter> {
        while self.first_deadline()? <= now {
            if let Some(Reverse((_, number))) = self.deadlines.pop()
                && let Some(waiter) = self.slot(number).and_then(Option::take)
            {
                self.empty += 1;
                return Some(waiter);
            }
        }
        None
    }

    /// When the first of all runs out of time.
    pub(super) fn first_deadline(&mut self) -> Option<Moment> {
        loop {
            let &Reverse((until, number)) = self.deadlines.peek()?;
            self.look(1);
            // The deadline of somebody who was served says nothing any more.
            if self.slot(number).is_some_and(|slot| slot.is_some()) {
                return Some(until);
            }
            self.deadlines.pop();
        }
    }

    /// Takes out all.
    pub(super) fn drain(&mut self) -> Vec<Waiter> {
        std::mem::take(self).slots.into_iter().flatten().collect()
    }

    /// Takes out those who went away by themselves, and forgets what was left in the middle.
    pub(super) fn sweep(&mut self, gone: &mut Vec<Waiter>) {
        self.look(self.slots.len());
        let mut slots = VecDeque::with_capacity(self.len() + 1);
        for waiter in self.slots.drain(..).flatten() {
            if waiter.turn.is_closed() {
                gone.push(waiter);
            } else {
                slots.push_back(Some(waiter));
            }
        }
        self.slots = slots;
        (self.first, self.empty) = (0, 0);
        let deadlines = self.slots.iter().flatten().zip(0..).filter(|(waiter, _)| waiter.until < Moment::NEVER);
        self.deadlines = deadlines.map(|(waiter, number)| Reverse((waiter.until, number))).collect();
        self.sweep_at = FEW.max(2 * self.slots.len());
    }

    fn slot(&mut self, number: u64) -> Option<&mut Option<Waiter>> {
        let place = number.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(place).ok()?)
    }

    fn look(&mut self, _count: usize) {
        #[cfg(test)]
        {
            self.work += _count;
        }
    }
}
