//! Processes: each is one life, from its start to its end.

use std::{cell::Cell, mem, task::Waker, time::Duration};

use dlock_runtime::simulated::Place;

use crate::{
    plan::{PATIENCE, SECOND, Time},
    sim::Sim,
    weakness::Weakness,
};

/// A process, from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) slot: usize,
    /// Its clock: what it showed at first, and how many parts in a million it is fast.
    pub(crate) offset: Time,
    pub(crate) fast: i64,
    pub(crate) is_dead: bool,
    /// When it began to shut down.
    pub(crate) closes: Option<Time>,
    pub(crate) is_done: bool,
    pub(crate) paused: Option<Time>,
    /// For how long it was.
    pub(crate) paused_for: Time,
    held_up: Vec<Waker>,
    /// Until when what it sends does not leave.
    pub(crate) link: Time,
    /// Until when something keeps it from acting as it should.
    pub(crate) troubled: Time,
    /// How often it has looked at the clock since it did something.
    pub(crate) looks: Cell<u64>,
}

impl Sim {
    /// Something keeps the process from acting as it should until `until`.
    pub(crate) fn disturb(&self, life: u32, until: Time) {
        let life = &mut self.lives.borrow_mut()[life as usize];
        life.troubled = life.troubled.max(until);
    }

    /// Until when it did not act as it should, and had not recovered from that.
    pub(crate) fn disturbed(&self, life: u32) -> Time {
        self.lives.borrow()[life as usize].troubled + self.plan.recovery()
    }

    pub(crate) fn disturb_all(&self, until: Time) {
        let count = self.lives.borrow().len() as u32;
        (0..count).for_each(|life| self.disturb(life, until));
    }

    /// A new life in a slot.
    pub(crate) fn is_born(&self, slot: usize) -> u32 {
        let mut rng = self.rng.borrow_mut();
        let offset = SECOND + rng.below(1_000 * SECOND);
        let fast = if rng.chance(5_000) { rng.pick(&[-9_900, 9_900]) } else { rng.below(19_800) as i64 - 9_900 };
        let fast = if self.weakness == Some(Weakness::SlowClock) { -60_000 } else { fast };
        let mut lives = self.lives.borrow_mut();
        // It has to connect first.
        lives.push(Life { slot, offset, fast, troubled: self.now() + 2 * SECOND, ..Life::default() });
        lives.len() as u32 - 1
    }

    /// How long `span` on the clock of a process is in true time.
    pub(crate) fn true_span(&self, life: u32, span: Duration) -> Time {
        let fast = self.lives.borrow()[life as usize].fast;
        (span.as_nanos() as i128 * 1_000_000 / i128::from(1_000_000 + fast)) as Time
    }

    /// Whether the tasks of a process must not go on, now or at all. Some polls are put off, so that tasks run in any order.
    pub(crate) fn hold_up(&self, place: Place, waker: &Waker, puts_off: bool) -> bool {
        let life = &mut self.lives.borrow_mut()[place.process as usize];
        if life.is_dead {
            return true;
        }
        if life.paused.is_some() {
            life.held_up.push(waker.clone());
            return true;
        }
        let is_put_off = puts_off && self.rng.borrow_mut().chance(self.plan.put_off);
        if is_put_off {
            waker.wake_by_ref();
        }
        is_put_off
    }

    pub(crate) fn resume(&self, life: u32) {
        // It had no time to notice anything. What waits for an answer in vain does so for a while yet.
        let mut conns = self.conns.borrow_mut();
        let own = conns.iter_mut().filter(|conn| conn.life == life);
        if own.filter_map(|conn| conn.vain.take()).count() > 0 {
            self.disturb(life, self.now() + PATIENCE);
        }
        drop(conns);
        let wakers = {
            let life = &mut self.lives.borrow_mut()[life as usize];
            life.paused_for += life.paused.take().map_or(0, |since| self.now() - since);
            mem::take(&mut life.held_up)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
