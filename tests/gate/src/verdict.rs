//! Stands in for what the store said.

#[derive(Clone, Debug)]
pub(crate) struct Verdict;
