//! What becomes of what is sent.
//!
//! Each connection keeps its order, as TCP does, but single messages get lost, are delayed past all others, or arrive
//! twice: that is what broken connections, new ones and resent requests amount to.

use crate::{
    clock::{MICROSECOND, Time},
    events::Line,
    figures::Figures,
    plan::{FAULTS_IN_A_ROW, LATENCY, LONGEST_DELAY, Plan},
    rng::Rng,
};

#[derive(Debug)]
pub(crate) struct Network {
    /// When the last message of each connection arrives, there and back.
    last: Vec<[[Time; 2]; 3]>,
    /// Until when a process is cut off.
    cut: Vec<Time>,
    /// Until when nobody reaches the store.
    down: Time,
    /// From when on nothing goes wrong.
    calm: bool,
}

/// What is sent, as far as the network treats it differently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    pub(crate) from: usize,
    pub(crate) line: Line,
    pub(crate) back: bool,
    pub(crate) attempt: u8,
    pub(crate) can_double: bool,
}

impl Network {
    pub(crate) fn new(ends: usize) -> Self {
        Self { last: vec![Default::default(); ends], cut: vec![0; ends], down: 0, calm: false }
    }

    pub(crate) fn cut(&mut self, end: usize, until: Time) {
        self.cut[end] = self.cut[end].max(until);
    }

    pub(crate) fn down(&mut self, until: Time) {
        self.down = self.down.max(until);
    }

    /// Whether nobody reaches the store.
    pub(crate) fn is_down(&self, now: Time) -> bool {
        now < self.down
    }

    pub(crate) fn calm_down(&mut self) {
        self.calm = true;
    }

    /// When it arrives, and when it arrives for the second time.
    pub(crate) fn send(
        &mut self,
        now: Time,
        parcel: Parcel,
        rng: &mut Rng,
        plan: &Plan,
        figures: &mut Figures,
    ) -> [Option<Time>; 2] {
        if now < self.cut[parcel.from].max(self.down) {
            figures.lost += 1;
            return [None, None];
        }
        let unfair = !self.calm && parcel.attempt < FAULTS_IN_A_ROW;
        if unfair && rng.chance(plan.lost) {
            figures.lost += 1;
            return [None, None];
        }
        let late = plan.delayed + if parcel.line == Line::Hearing { plan.late_news } else { 0 };
        if unfair && rng.chance(late) {
            figures.delayed += 1;
            return [Some(now + LATENCY.1 + rng.below(LONGEST_DELAY)), None];
        }
        let last = &mut self.last[parcel.from][parcel.line as usize][usize::from(parcel.back)];
        let at = (now + rng.between(LATENCY)).max(*last + 1);
        *last = at;
        if !self.calm && parcel.can_double && rng.chance(plan.doubled) {
            figures.doubled += 1;
            let late = if rng.chance(5_000) { 300 * MICROSECOND } else { LONGEST_DELAY };
            return [Some(at), Some(at + rng.below(late))];
        }
        [Some(at), None]
    }
}
