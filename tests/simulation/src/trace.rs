//! What happened, as a hash that two runs of a seed must agree on, and as lines for readers.

use std::collections::VecDeque;

use crate::clock::Time;

/// How many lines are kept.
const KEPT: usize = 20_000;

#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<VecDeque<String>>,
}

impl Trace {
    pub(crate) fn new(readable: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: readable.then(VecDeque::new) }
    }

    pub(crate) fn mix(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// Notes a line, if anybody will read it.
    pub(crate) fn note(&mut self, now: Time, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            if lines.len() == KEPT {
                lines.pop_front();
            }
            lines.push_back(format!("{:>14.3} ms  {}", now as f64 / 1e6, line()));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn lines(self) -> Vec<String> {
        self.lines.unwrap_or_default().into()
    }
}
