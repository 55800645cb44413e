//! What is known of a world when it has ended.

use crate::{figures::Figures, judge::Violation};

/// The end of a run.
#[derive(Debug)]
pub struct Report {
    /// What happened, counted.
    pub figures: Figures,
    /// What the judge saw, if anything.
    pub violation: Option<Violation>,
    /// A hash of all that happened: equal for equal seeds.
    pub hash: u64,
    /// What the seed made of the world.
    pub plan: String,
    /// The last things that happened, if they were to be kept.
    pub lines: Vec<String>,
}
