//! What waits for its batch, and what is under way.

use std::collections::VecDeque;

use super::Gathered;

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) gathered: VecDeque<Gathered>,
    /// How many commands have gone by themselves so far, and how many of these are known to be answered. Replies come in order, so
    /// each tells of all commands before its own: of those, too, at whose replies nobody looks.
    pub(super) sent_alone: u64,
    answered: u64,
    /// How many tasks carry batches, at most [`BATCHES`](super::BATCHES).
    pub(super) carriers: usize,
    /// How many of them are about to take what has gathered.
    pub(super) coming: usize,
}

impl Waiting {
    /// How many commands are under way by themselves, as far as is known.
    pub(super) fn alone(&self) -> u64 {
        self.sent_alone - self.answered
    }

    /// So many of those that went by themselves are answered.
    pub(super) fn note_answered(&mut self, number: u64) {
        self.answered = self.answered.max(number);
    }
}
